/**
 * The documents' JSON Schema (draft 2020-12), for editors, the HTTP API and the reference pages, and look-ups in it.
 * Derived from the zod schemas in `tenant.ts` and `platform.ts`; nothing is written here by hand.
 */
import { z } from 'zod'
import type { Json } from './json.ts'
import { platformDocument } from './platform.ts'
import { tenantDocument } from './tenant.ts'

/** The part of JSON Schema that our documents use. */
export interface JsonSchema {
  readonly $schema?: string
  readonly $id?: string
  readonly title?: string
  readonly description?: string
  readonly type?: string
  readonly format?: string
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly const?: Json
  readonly enum?: readonly Json[]
  readonly default?: Json
  readonly required?: readonly string[]
  readonly properties?: { readonly [name: string]: JsonSchema }
  readonly additionalProperties?: boolean | JsonSchema
  readonly propertyNames?: JsonSchema
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
}

export type DocumentKind = 'Tenant' | 'Platform'

const schemas = { Tenant: tenantDocument, Platform: platformDocument } as const
const derived = new Map<DocumentKind, JsonSchema>()

/** What a person may write (defaults not yet filled in). The same object every time; do not change it. */
export function jsonSchema(kind: DocumentKind): JsonSchema {
  const known = derived.get(kind)
  if (known !== undefined) return known
  const schema = z.toJSONSchema(schemas[kind], { io: 'input', target: 'draft-2020-12' }) as JsonSchema
  const titled: JsonSchema = {
    ...schema,
    $id: `https://ringfence.dev/schemas/v1alpha1/${kind.toLowerCase()}.json`,
    title: kind,
  }
  derived.set(kind, titled)
  return titled
}

const branches = (schema: JsonSchema): readonly JsonSchema[] => schema.anyOf?.flatMap(branches) ?? [schema]

function step(schema: JsonSchema, key: string | number): readonly JsonSchema[] {
  return branches(schema).flatMap((branch) => {
    if (branch.items !== undefined && typeof key === 'number') return [branch.items]
    const { properties, additionalProperties } = branch
    const property = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined
    if (property !== undefined) return [property]
    return typeof additionalProperties === 'object' ? [additionalProperties] : []
  })
}

/** The fields that an object at this path may have; over a union, those of all its branches. */
export function fieldsAt(kind: DocumentKind, path: readonly (string | number)[]): readonly string[] {
  let here: readonly JsonSchema[] = [jsonSchema(kind)]
  for (const key of path) here = here.flatMap((schema) => step(schema, key))
  return [...new Set(here.flatMap(branches).flatMap((schema) => Object.keys(schema.properties ?? {})))]
}

/** Every path (without list indices) that ends in a field of this name: where a misplaced field belongs. */
export function pathsOfField(kind: DocumentKind, field: string): readonly string[] {
  const found = new Set<string>()
  const walk = (schema: JsonSchema, at: string): void => {
    for (const branch of branches(schema)) {
      for (const [name, inner] of Object.entries(branch.properties ?? {})) {
        if (name === field) found.add(`${at}/${name}`)
        walk(inner, `${at}/${name}`)
      }
      if (branch.items !== undefined) walk(branch.items, `${at}/*`)
    }
  }
  walk(jsonSchema(kind), '')
  return [...found]
}
