/**
 * What a command prints. Machine formats carry the value whole, with every character that a terminal could obey
 * written as an escape of the format; text for people goes through `printable` where it is put together.
 */
import type { RingfenceError } from '../model/errors.ts'
import { printable } from '../model/printable.ts'
import { say, styleFor } from './io.ts'
import type { Io } from './io.ts'

export const formats = ['json', 'yaml', 'name'] as const
export type Format = (typeof formats)[number]

const acts = (character: string): boolean => character !== '\n' && printable(character) !== character
const unit = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`

/** JSON in two-space form; the escapes change how it is written, never what it says. */
export const jsonText = (value: unknown, indent = 2): string =>
  JSON.stringify(value, null, indent).replaceAll(/[^\x20-\x7e\n]/gu, (character) =>
    acts(character)
      ? Array.from({ length: character.length }, (_, index) => unit(character.charCodeAt(index))).join('')
      : character,
  )

/** YAML; texts with characters that act are double-quoted, the one style that can escape them. */
export async function yamlText(value: unknown): Promise<string> {
  const { Document, isScalar, visit } = await import('yaml')
  const document = new Document(JSON.parse(JSON.stringify(value)), { aliasDuplicateObjects: false })
  visit(document, {
    Scalar(_key, node) {
      if (isScalar(node) && typeof node.value === 'string' && Array.from(node.value).some(acts))
        node.type = 'QUOTE_DOUBLE'
    },
  })
  return document.toString({ lineWidth: 0 }).replaceAll(/[^\x20-\x7e\n]/gu, (character) => {
    if (!acts(character)) return character
    const point = character.codePointAt(0) ?? 0
    return point > 0xffff ? `\\U${point.toString(16).padStart(8, '0')}` : unit(point)
  })
}

export interface Views {
  readonly json: unknown
  /** One `kind/name` a line. */
  readonly names?: readonly string[]
  readonly human: () => string
}

/** Prints one result in the format asked for; without one, for people. */
export async function emit(io: Io, format: Format | undefined, views: Views): Promise<void> {
  if (format === 'json') say(io.stdout, jsonText(views.json))
  else if (format === 'yaml') io.stdout.write(await yamlText(views.json))
  else if (format === 'name') for (const name of views.names ?? []) say(io.stdout, printable(name))
  else {
    const text = views.human()
    if (text !== '') say(io.stdout, text)
  }
}

/** An error for people, on stderr: what was tried, every problem with its path, and what to do. */
export function printError(io: Io, error: RingfenceError): void {
  const style = styleFor(io.stderr, io.env)
  const problems = error.facts.problems ?? []
  // Where every problem is listed below, the sentence need not end with the first one.
  const [one] = problems
  const tail = one === undefined ? '' : `: ${one.path === '' ? 'the document' : one.path} ${one.reason}`
  const message = tail !== '' && error.message.endsWith(tail) ? error.message.slice(0, -tail.length) : error.message
  const [first = '', ...more] = message.split('\n').map(printable)
  say(io.stderr, `${style.red('error')}: ${first} ${style.dim(`(${error.code})`)}`)
  for (const line of more) say(io.stderr, `  ${line}`)
  for (const { path, reason, fix } of problems) {
    say(io.stderr, `  ${style.bold(printable(path === '' ? '/' : path))}: ${printable(reason)}`)
    if (fix !== '') say(io.stderr, `    ${style.dim('→')} ${printable(fix)}`)
  }
  if (io.env['RINGFENCE_DEBUG'] === '1') {
    const cause = error.cause instanceof Error ? error.cause : error
    const stack = cause.stack ?? cause.message
    say(io.stderr, stack.split('\n').map(printable).join('\n'))
  }
}
