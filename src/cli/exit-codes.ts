/** What the process answers to its caller: 0 done, 1 failed, 2 usage, 3 not proved, 4 conflict. */
import type { ErrorCode, RingfenceError } from '../model/errors.ts'

export const exitCodes = { done: 0, failed: 1, usage: 2, notProved: 3, conflict: 4 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const conflicts: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'AlreadyExists',
  'Conflict',
  'NameConflict',
  'PreconditionFailed',
  'PreconditionRequired',
  'WorldMoved',
])

export function exitCodeOfError({ code }: RingfenceError): ExitCode {
  if (code === 'Usage') return exitCodes.usage
  return conflicts.has(code) ? exitCodes.conflict : exitCodes.failed
}
