import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { pathOf, setPath } from '../../../src/cli/documents.ts'
import { duration } from '../../../src/cli/options.ts'
import { Readable } from 'node:stream'
import { jsonText, printError, yamlText } from '../../../src/cli/output.ts'
import { invalidDocument } from '../../../src/model/problems.ts'
import { table } from '../../../src/cli/table.ts'
import { plainStyle } from '../../../src/cli/io.ts'
import { acting } from './support.ts'

/** Texts of all kinds, the dangerous ones often. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom(
      '\u001b',
      '\u009b',
      '\u202e',
      '\u2028',
      '\ufeff',
      '\n',
      '\r',
      ':',
      '#',
      '"',
      "'",
      '{',
      ' ',
      '-',
      'ä',
      '😀',
    ),
  }),
)
const anyJson = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    anyText,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      anyText.filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 4 },
    ),
  ),
})).value

describe('machine formats', () => {
  test('JSON says every value exactly and holds nothing that acts', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const text = jsonText(value)
        expect(text).not.toMatch(acting)
        expect(JSON.parse(text)).toEqual(value)
      }),
    )
  })
  test('YAML says every value exactly and holds nothing that acts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          anyText.filter((key) => key !== '__proto__' && key !== '<<'),
          anyJson,
          { maxKeys: 3 },
        ),
        async (value) => {
          const text = await yamlText(value)
          expect(text).not.toMatch(acting)
          expect(parse(text)).toEqual(value)
        },
      ),
    )
  })
})

test('a table is as many lines as it has rows, whatever the cells hold', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyText, anyText), { maxLength: 5 }), (rows) => {
      const text = table(['A', 'B'], rows, plainStyle)
      expect(text.split('\n')).toHaveLength(rows.length + 1)
      expect(text).not.toMatch(acting)
    }),
  )
})

describe('--set', () => {
  test.each([
    ['compute.quota.pods', ['spec', 'compute', 'quota', 'pods']],
    ['spec.tier', ['spec', 'tier']],
    ['metadata.labels.a\\.b/c', ['metadata', 'labels', 'a.b/c']],
    ['/spec/compute/quota/requests.cpu', ['spec', 'compute', 'quota', 'requests.cpu']],
    ['/metadata/labels/a~1b~0c', ['metadata', 'labels', 'a/b~c']],
  ])('%s names the path %j', (path, keys) => {
    expect(pathOf(path)).toEqual(keys)
  })
  test('any pointer reaches exactly its own place, and never a prototype', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyText, fc.constantFrom('__proto__', 'constructor', 'prototype', '')), {
          minLength: 1,
          maxLength: 4,
        }),
        (keys) => {
          const draft = {}
          try {
            setPath(draft, keys, 'set')
            expect(keys.reduce<unknown>((here, key) => (here as Record<string, unknown>)[key], draft)).toBe('set')
          } catch (error) {
            expect(error).toMatchObject({ code: 'Usage' })
            expect(draft).toEqual({})
          }
          expect(Object.keys(Object.prototype)).toEqual([])
        },
      ),
    )
  })
})

test.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
])('the duration %s is %i ms', (text, ms) => {
  expect(duration(text)).toBe(ms)
})
test.each(['', 'm', '1d', '-1s', '1.5h', '1h 30m', '9'.repeat(12)])('"%s" is no duration', (text) => {
  expect(() => duration(text)).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' }))
})

describe('an error for people', () => {
  const printed = (problems: Parameters<typeof invalidDocument>[1]): string => {
    let text = ''
    const sink = { write: (chunk: string) => void (text += chunk) }
    const io = {
      stdout: sink,
      stderr: sink,
      stdin: Readable.from([]),
      env: {},
      cwd: '/',
      signal: new AbortController().signal,
    }
    printError(io, invalidDocument('the document', problems))
    return text
  }
  test('says each problem once, with what to do', () => {
    expect(printed([{ path: '/a', reason: 'is wrong', fix: 'right it' }])).toBe(
      'error: the document has one problem (InvalidDocument)\n  /a: is wrong\n    → right it\n',
    )
    const two = printed([
      { path: '', reason: 'is odd', fix: '' },
      { path: '/a', reason: 'is wrong', fix: 'right it' },
    ])
    expect(two).toBe(
      'error: the document has 2 problems (InvalidDocument)\n  /: is odd\n  /a: is wrong\n    → right it\n',
    )
  })
})
