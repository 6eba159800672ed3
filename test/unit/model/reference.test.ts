import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { jsonSchema, pathsOfField } from '../../../src/model/json-schema.ts'
import { referenceFiles } from '../../../tools/generate-reference.ts'

const root = new URL('../../../', import.meta.url)
const files = referenceFiles()

describe('the reference', () => {
  it.each([...files.keys()])('%s is what the schema says now (node tools/generate-reference.ts)', (path) => {
    expect(readFileSync(new URL(path, root), 'utf8') === files.get(path)).toBe(true)
  })

  it.each(['Tenant', 'Platform'] as const)('says what every part of a %s is for', (kind) => {
    const spec = jsonSchema(kind).properties?.['spec']?.properties ?? {}
    const silent = Object.entries(spec).filter(
      ([, schema]) => schema.description === undefined && schema.properties === undefined,
    )
    expect(silent.map(([name]) => name)).toEqual([])
  })

  it('names every field of the tenant', () => {
    const page = files.get('docs/reference/tenant.md') ?? ''
    for (const field of ['connectionLimit', 'imageRegistries', 'endPort', 'legalHold', 'matchExpressions', 'cidr']) {
      expect(pathsOfField('Tenant', field).length).toBeGreaterThan(0)
      expect(page).toContain(`.${field}\``)
    }
  })
})

describe('the JSON Schema', () => {
  it('uses nothing that editors and Kubernetes could not read', () => {
    const text = JSON.stringify([jsonSchema('Tenant'), jsonSchema('Platform')])
    expect(text).not.toContain('$ref')
    expect(text).not.toMatch(/\(\?[=!<]/)
  })
})
