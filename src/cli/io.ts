/** The process as the CLI sees it, so that tests run commands in process; and the few styles that text may have. */
import process from 'node:process'
import type { Readable } from 'node:stream'

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly env: { readonly [name: string]: string | undefined }
  readonly cwd: string
  /** Aborts when the person asks to stop (Ctrl-C). */
  readonly signal: AbortSignal
}

/** The real process. `signal` is the caller's, who also installs the handlers. */
export const processIo = (signal: AbortSignal): Io => ({
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  signal,
})

export interface Style {
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
}

const code = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`
const none = (text: string): string => text
export const plainStyle: Style = { red: none, green: none, yellow: none, dim: none, bold: none }
const ansiStyle: Style = {
  red: code(31, 39),
  green: code(32, 39),
  yellow: code(33, 39),
  dim: code(2, 22),
  bold: code(1, 22),
}

/** Colours only on a terminal, and not where `NO_COLOR` (no-color.org) or a dumb terminal says otherwise. */
export function styleFor(output: Output, env: Io['env']): Style {
  const wanted = output.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return wanted ? ansiStyle : plainStyle
}

/** Writes one line. */
export const say = (output: Output, line: string): void => void output.write(`${line}\n`)
