/** `network connections`: the network logic's own view of manifests, one line a connection. */
import { resolve } from 'node:path'
import { printable } from '../../model/printable.ts'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { say } from '../io.ts'
import type { Io } from '../io.ts'

/** Lines only when everything that could change them was read and understood; else the reasons, and exit 3. */
export async function connections(io: Io, dir: string): Promise<ExitCode> {
  const { readManifests } = await import('../../prover/manifests/index.ts')
  const { connectionLines } = await import('../../prover/network/connection-lines.ts')
  const { objects, unreadable } = await readManifests(resolve(io.cwd, dir))
  const answer = connectionLines(objects)
  const because = [
    ...unreadable.map(({ what, why }) => `${what}: ${why}`),
    ...('undecided' in answer ? answer.undecided : []),
  ]
  if (because.length > 0 || !('lines' in answer)) {
    for (const reason of because) say(io.stderr, `undecided: ${printable(reason)}`)
    return exitCodes.notProved
  }
  for (const line of answer.lines) say(io.stdout, printable(line))
  return exitCodes.done
}
