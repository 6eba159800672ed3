/**
 * Quoting of SQL identifiers and literals, for statements that take no parameters (DDL). Every name that reaches a
 * statement text goes through here; nothing else builds SQL from strings.
 */
import { RingfenceError } from '../../model/errors.ts'

/** NAMEDATALEN - 1: PostgreSQL cuts longer names silently, so that two of them could meet in one. */
const maxNameBytes = 63

/** A delimited identifier (manual, 4.1.1). Throws `Rejected` for what PostgreSQL cannot hold unchanged. */
export function ident(name: string): string {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > maxNameBytes || !name.isWellFormed()) {
    throw new RingfenceError(
      'Rejected',
      `"${name.slice(0, 80)}" cannot be a PostgreSQL name: 1 to ${maxNameBytes} bytes, no NUL`,
    )
  }
  return `"${name.replaceAll('"', '""')}"`
}

/** A string literal; the escape form is used as soon as there is a backslash, whatever standard_conforming_strings says. */
export function literal(text: string): string {
  if (text.includes('\0') || !text.isWellFormed())
    throw new RingfenceError('Rejected', 'a PostgreSQL text holds no NUL and no lone surrogate')
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return text.includes('\\') ? ` E${quoted}` : quoted
}

/** An element of a list setting as the server stores it: quoted only where it must be (`quote_identifier`, lower-case words aside). */
export const listElement = (name: string): string => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : ident(name))
