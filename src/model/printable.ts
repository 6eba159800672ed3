/**
 * Makes text from documents and backends safe to show. Terminals obey escape sequences, logs are split at line ends,
 * and bidirectional controls make a name read as another; shown here, all of them are spelt out instead.
 */

/**
 * C0 and C1 controls, DEL, soft hyphen, zero-width and bidirectional controls, line and paragraph separators,
 * interlinear and tag characters, variation fillers that render as nothing, the byte order mark, and halves of
 * surrogate pairs that stand alone.
 */
const unprintable =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class -- finding them is the purpose
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/gu

const named: { readonly [character: string]: string } = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const spelt = (character: string): string => {
  const known = named[character]
  if (known !== undefined) return known
  const code = character.codePointAt(0) ?? 0
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`
}

/**
 * The text with every character that could act instead of show spelt out: `\n`, `\x1b`, `\u202e`. One line, always.
 * Idempotent: what it answers holds nothing that it would change again. Letters of every script stay as they are.
 */
export const printable = (text: string): string => text.replace(unprintable, spelt)

/** `printable`, cut after `limit` characters with the number of those left out; for values inside messages. */
export function excerpt(text: string, limit = 80): string {
  const characters = Array.from(text.length > limit * 4 ? text.slice(0, limit * 4) : text)
  if (characters.length <= limit && text.length <= limit * 4) return printable(text)
  return `${printable(characters.slice(0, limit).join(''))}… (${text.length} characters)`
}
