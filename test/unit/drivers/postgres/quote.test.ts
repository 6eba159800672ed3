import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ident, listElement, literal } from '../../../../src/drivers/postgres/quote.ts'

/** Reads one delimited token as PostgreSQL's scanner does, and answers its value and what is left. */
function scan(text: string, quote: string): { value: string; rest: string } {
  let value = ''
  let at = 1
  for (; at < text.length; at += 1) {
    if (text[at] !== quote) value += text[at]
    else if (text[at + 1] === quote) {
      value += quote
      at += 1
    } else break
  }
  return { value, rest: text.slice(at + 1) }
}

describe('quoting', () => {
  it('keeps every name inside its quotes, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 15 }), (name) => {
        if (Buffer.byteLength(name) > 63 || name.includes('\0') || !name.isWellFormed()) return
        expect(scan(ident(name), '"')).toEqual({ value: name, rest: '' })
      }),
    )
  })

  it('keeps every text inside its quotes, backslashes in the escape form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        if (text.includes('\0') || !text.isWellFormed()) return
        const quoted = literal(text)
        expect(quoted.startsWith(' E')).toBe(text.includes('\\'))
        const { value, rest } = scan(quoted.replace(/^ E/, ''), "'")
        expect([text.includes('\\') ? value.replaceAll('\\\\', '\\') : value, rest]).toEqual([text, ''])
      }),
    )
  })

  it.each(['', 'a\0b', 'x'.repeat(64), 'é'.repeat(32), '\ud800'])(
    'refuses %j, which PostgreSQL would cut or cannot hold',
    (name) => {
      expect(() => ident(name)).toThrow(expect.objectContaining({ code: 'Rejected' }))
      expect(ident('x'.repeat(63))).toHaveLength(65)
    },
  )

  it('writes elements of list settings as the server shows them', () => {
    expect(['public', 'pg_temp', '$user', 'Mixed', 'a"b'].map(listElement)).toEqual([
      'public',
      'pg_temp',
      '"$user"',
      '"Mixed"',
      '"a""b"',
    ])
  })
})
