/** Options that several commands share, declared once: how the control plane is found, how results are printed, waiting. */
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { formats } from './output.ts'
import type { Format } from './output.ts'

/** Values of an option that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

export function port(text: string): number {
  const value = wholeNumber(text)
  if (value > 65_535) throw new InvalidArgumentError('It must be a port: 0 to 65535.')
  return value
}

const unitMs = { s: 1000, m: 60_000, h: 3_600_000 } as const

/** `90`, `90s`, `10m`, `1h30m` in milliseconds. */
export function duration(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000
  if (!/^(\d{1,6}[smh])+$/.test(text)) throw new InvalidArgumentError('Write a duration such as 90s, 10m or 1h30m.')
  return [...text.matchAll(/(\d+)([smh])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * unitMs[unit as keyof typeof unitMs],
    0,
  )
}

export interface Connected {
  readonly server?: string
  readonly tokenFile?: string
  readonly dataDir?: string
}

export const connected = (command: Command): Command =>
  command
    .option('--server <url>', 'the control plane (default: the one of the data directory)')
    .option('--token-file <file>', 'file with its API token, mode 0600')
    .option('--data-dir <dir>', 'data directory of `ringfence up` (default: .ringfence)')

export interface Formatted {
  readonly output?: Format
}

export const formatted = (command: Command, choices: readonly Format[] = formats): Command =>
  command.addOption(new Option('-o, --output <format>', 'print for machines instead of people').choices(choices))

export interface Waiting {
  readonly wait?: boolean
  readonly timeout: number
}

export const waiting = (command: Command, what: string): Command =>
  command
    .option('--wait', what)
    .addOption(new Option('--timeout <duration>', 'how long to wait').argParser(duration).default(600_000, '10m'))
