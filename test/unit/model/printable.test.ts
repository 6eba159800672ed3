import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { excerpt, printable } from '../../../src/model/printable.ts'

const escape = String.fromCodePoint(0x1b)
const character = (code: number): string => String.fromCodePoint(code)

describe('printable text', () => {
  it.each([
    [`${escape}[2J${escape}]0;title${character(7)}`, '\\x1b[2J\\x1b]0;title\\x07'],
    ['a\r\nINFO forged', 'a\\r\\nINFO forged'],
    [`${character(0x9b)}31m`, '\\x9b31m'],
    [`acme${character(0x202e)}txt.exe`, 'acme\\u202etxt.exe'],
    [`a${character(0x200b)}b${character(0xfeff)}`, 'a\\u200bb\\ufeff'],
    [`${character(0)}`, '\\x00'],
    [`${character(0x2028)}`, '\\u2028'],
    [`${character(0xe0041)}`, '\\u{e0041}'],
    [String.fromCharCode(0xd800), '\\ud800'],
  ])('spells out what would act: %j', (text, expected) => {
    expect(printable(text)).toBe(expected)
  })

  it.each(['Ærøskøbing', 'שלום', '日本語', 'é', '👩‍🔬'.replaceAll(character(0x200d), ''), '$(id) `x` "y" \\'])(
    'leaves letters and signs alone: %s',
    (text) => {
      expect(printable(text)).toBe(text)
    },
  )

  it('never holds a control, whatever goes in, and changes nothing twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = printable(text)
        expect(once).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
        expect(printable(once)).toBe(once)
      }),
    )
  })

  it('is cut at a bound that says how much was left out', () => {
    expect(excerpt('x'.repeat(1000), 10)).toBe(`${'x'.repeat(10)}… (1000 characters)`)
    expect(excerpt('x'.repeat(10), 10)).toBe('x'.repeat(10))
    expect(excerpt('👍'.repeat(11), 10)).toBe(`${'👍'.repeat(10)}… (22 characters)`)
  })
})
