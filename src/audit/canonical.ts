/**
 * Canonical JSON (RFC 8785) of values that have exactly one reading. Hostile values are refused rather than guessed:
 * a text that two values share would let one audit entry pass for another.
 */
import canonicalize from 'canonicalize'
import { RingfenceError } from '../model/errors.ts'

const refuse = (path: string, what: string): never => {
  throw new RingfenceError('Internal', `cannot write ${what} at ${path || '/'} as canonical JSON`, { path })
}

function check(value: unknown, path: string, depth: number): void {
  if (depth > 64) refuse(path, 'a value nested deeper than 64 levels')
  switch (typeof value) {
    case 'boolean':
      return
    case 'string':
      if (!value.isWellFormed()) refuse(path, 'a lone surrogate')
      return
    case 'number':
      if (!Number.isFinite(value)) refuse(path, String(value))
      if (Object.is(value, -0)) refuse(path, 'negative zero')
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) refuse(path, 'an integer beyond 2^53')
      return
    case 'object':
      break
    default:
      refuse(path, typeof value)
  }
  if (value === null) return
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      if (!Object.hasOwn(value, index)) refuse(`${path}/${index}`, 'a hole')
      check(value[index], `${path}/${index}`, depth + 1)
    }
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) refuse(path, 'an object that is not plain')
  for (const [key, inner] of Object.entries(value as object)) {
    if (!key.isWellFormed()) refuse(path, 'a key with a lone surrogate')
    check(inner, `${path}/${key}`, depth + 1)
  }
}

/** The one RFC 8785 text of a plain JSON value. Throws `Internal` on anything that JSON cannot say exactly. */
export function canonicalJson(value: unknown): string {
  check(value, '', 0)
  const text = canonicalize(value)
  return text ?? refuse('', 'nothing')
}
