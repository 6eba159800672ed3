/** Known answers from outside: every case whose policies are NetworkPolicy only must come out line for line. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../../../src/model/world.ts'
import { connectionLines } from '../../../../src/prover/network/connection-lines.ts'

const corpus = join(import.meta.dirname, '../../../../../shared/data/network-corpus')
const present = existsSync(corpus)

function objectsIn(folder: string): KubeObject[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
  return files
    .filter((file) => statSync(file).isFile() && /\.(ya?ml|json)$/.test(file))
    .flatMap((file) =>
      parseAllDocuments(readFileSync(file, 'utf8')).flatMap((document) => expand(document.toJS() as unknown)),
    )
}

function expand(value: unknown): KubeObject[] {
  if (typeof value !== 'object' || value === null) return []
  const object = value as KubeObject & { items?: object[] }
  if (!Array.isArray(object.items)) return [object]
  // Items of a typed list may leave out what the list already says.
  const implied =
    object.kind === 'List' ? {} : { apiVersion: object.apiVersion, kind: object.kind.replace(/List$/, '') }
  return object.items.flatMap((item) => expand({ ...implied, ...item }))
}

const beyond =
  /^(UserDefinedNetwork|ClusterUserDefinedNetwork|NetworkAttachmentDefinition|MultiNetworkPolicy|VirtualMachine)$/
const cases = present
  ? readdirSync(corpus)
      .filter((name) => statSync(join(corpus, name)).isDirectory())
      .map((name) => ({ name, objects: objectsIn(join(corpus, name)) }))
  : []
const lines = (text: string) => text.split('\n').filter((line) => line !== '')

describe.runIf(present)('the network corpus', () => {
  test('holds cases of both sorts', () => {
    expect(cases.filter(({ objects }) => !objects.some(({ kind }) => beyond.test(kind))).length).toBeGreaterThan(10)
    expect(cases.filter(({ objects }) => objects.some(({ kind }) => beyond.test(kind))).length).toBeGreaterThan(10)
  })

  test.each(cases.filter(({ objects }) => !objects.some(({ kind }) => beyond.test(kind))))(
    '$name has exactly the known connections',
    ({ name, objects }) => {
      const expected = lines(readFileSync(join(corpus, `${name}.expected.txt`), 'utf8'))
      const answer = connectionLines(objects)
      expect(answer).toEqual({ lines: expected })
    },
  )

  test.each(cases.filter(({ objects }) => objects.some(({ kind }) => beyond.test(kind))))(
    '$name is undecided and names what is not supported',
    ({ objects }) => {
      const answer = connectionLines(objects)
      expect(answer).not.toHaveProperty('lines')
      const named = 'undecided' in answer ? answer.undecided : []
      for (const { kind, metadata } of objects.filter((object) => beyond.test(object.kind))) {
        expect(named.some((reason) => reason.startsWith(`${kind} `) && reason.includes(metadata.name))).toBe(true)
      }
    },
  )
})

if (!present) {
  // On a machine without the data this shows as skipped, with the reason; in CI it fails.
  test.skipIf(process.env['CI'] === undefined)(
    `the network corpus is missing at ${corpus}: nothing was compared`,
    () => {
      expect(corpus).toSatisfy(existsSync)
    },
  )
}
