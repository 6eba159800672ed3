/**
 * Writes `docs/reference/` from the schema: the pages for the two documents and their JSON Schemas for editors. A
 * test compares what is committed with what this makes, so that the pages cannot grow old.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Json } from '../src/model/json.ts'
import { jsonSchema } from '../src/model/json-schema.ts'
import type { DocumentKind, JsonSchema } from '../src/model/json-schema.ts'
import * as scalars from '../src/model/scalars.ts'
import { referenceRules } from './reference-rules.ts'

const scalarNames: readonly (readonly [z.ZodType, string])[] = [
  [scalars.dnsLabel, 'DNS label'],
  [scalars.tenantName, 'tenant name'],
  [scalars.dnsSubdomain, 'DNS name'],
  [scalars.email, 'e-mail address'],
  [scalars.labelKey, 'label key'],
  [scalars.labelValue, 'label value'],
  [scalars.cidr, 'address range'],
]
const patterns = new Map(scalarNames.map(([schema, name]) => [(z.toJSONSchema(schema) as JsonSchema).pattern, name]))

const code = (value: Json): string => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``

/** A type in words: what a person may write there. */
function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) {
    const types = schema.anyOf.map((branch) => branch.type)
    return types.includes('integer') && types.includes('string') ? 'quantity' : 'object'
  }
  if (schema.const !== undefined) return code(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ')
  switch (schema.type) {
    case 'string':
      return textType(schema)
    case 'integer':
    case 'number':
      return numberType(schema)
    case 'boolean':
      return 'true or false'
    case 'array':
      return `list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}`
    default:
      return typeof schema.additionalProperties === 'object' ? mapType(schema, schema.additionalProperties) : 'object'
  }
}

const mapType = (schema: JsonSchema, values: JsonSchema): string =>
  `map of ${schema.propertyNames === undefined ? 'text' : typeOf(schema.propertyNames)} to ${typeOf(values)}`

function textType(schema: JsonSchema): string {
  if (schema.format === 'date-time') return 'point in time'
  const named = patterns.get(schema.pattern)
  if (named !== undefined) return named
  return schema.maxLength === undefined ? 'text' : `text, at most ${schema.maxLength} characters`
}

function numberType(schema: JsonSchema): string {
  const noun = schema.type === 'integer' ? 'whole number' : 'number'
  const [low, high] = [schema.minimum ?? schema.exclusiveMinimum, schema.maximum]
  const bounds: string[] = []
  if (low !== undefined && low > Number.MIN_SAFE_INTEGER)
    bounds.push(schema.exclusiveMinimum === undefined ? `from ${low}` : `above ${low}`)
  if (high !== undefined && high < Number.MAX_SAFE_INTEGER) bounds.push(`to ${high}`)
  return bounds.length === 0 ? noun : `${noun} ${bounds.join(' ')}`
}

interface Row {
  readonly path: string
  readonly schema: JsonSchema
  readonly required: boolean
}

/** Every field below a schema, in the document's order; lists are written `field[]`. */
function rowsOf(schema: JsonSchema, path: string): readonly Row[] {
  const fields = new Map<string, Row>()
  for (const branch of schema.anyOf ?? [schema]) {
    for (const [name, inner] of Object.entries(branch.properties ?? {})) {
      const at = path === '' ? name : `${path}.${name}`
      // In a union, a field is required only where all forms have it; say so by leaving it open.
      const required = schema.anyOf === undefined && branch.required?.includes(name) === true
      if (!fields.has(name)) fields.set(name, { path: at, schema: inner, required })
    }
  }
  return [...fields.values()].flatMap((row) => {
    const below =
      row.schema.items === undefined ? rowsOf(row.schema, row.path) : rowsOf(row.schema.items, `${row.path}[]`)
    return [row, ...below]
  })
}

const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/(?<![`\w-])<(\w+)>(?!`)/g, '`<$1>`')

function defaultOf({ schema, required }: Row): string {
  if (required) return '**required**'
  const value = schema.default
  if (value === undefined) return ''
  const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0
  return empty || value === '' ? '' : typeof value === 'object' ? 'see below' : code(value)
}

const table = (rows: readonly Row[]): string =>
  [
    '| field | type | default | |',
    '|---|---|---|---|',
    ...rows.map(
      (row) =>
        `| \`${row.path}\` | ${escaped(typeOf(row.schema))} | ${defaultOf(row)} | ${escaped(row.schema.description ?? '')} |`,
    ),
  ].join('\n')

/** Maps with a default of their own, written out. */
function mapsOf(rows: readonly Row[]): string {
  const maps = rows.flatMap(({ path, schema }) => {
    const value = schema.default
    if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return []
    const lines = Object.entries(value).map(([key, inner]) => `| \`${key}\` | ${code(inner)} |`)
    return [`\nDefault of \`${path}\`:\n\n| entry | value |\n|---|---|\n${lines.join('\n')}\n`]
  })
  return maps.join('\n')
}

/** The page of one document. */
export function referencePage(kind: DocumentKind): string {
  const schema = jsonSchema(kind)
  const { intro, rules } = referenceRules[kind]
  const spec = schema.properties?.['spec'] ?? {}
  const plain = Object.entries(spec.properties ?? {}).filter(([, inner]) => inner.properties === undefined)
  const sections = Object.entries(spec.properties ?? {}).filter(([, inner]) => inner.properties !== undefined)
  const head = rowsOf(schema.properties?.['metadata'] ?? {}, 'metadata')
  const required = new Set(spec.required)
  const own = plain.map(([name, inner]) => ({ path: `spec.${name}`, schema: inner, required: required.has(name) }))
  const parts = sections.map(([name, inner]) => {
    const rows = rowsOf(inner, `spec.${name}`)
    return `## spec.${name}\n\n${inner.description === undefined ? '' : `${inner.description}\n\n`}${table(rows)}\n${mapsOf(rows)}`
  })
  return `<!-- Made by tools/generate-reference.ts from the schema in src/model; do not edit. -->
# The ${kind} document

${intro}

\`\`\`yaml
apiVersion: ringfence.dev/v1alpha1
kind: ${kind}
\`\`\`

Unknown fields are refused, with the nearest known name. Everything that is wrong is said at once, each with its path,
the reason and what to do. A list or map without a default is empty.

## metadata and plain fields

${table([...head, ...own])}

${parts.join('\n')}
## Rules beyond the fields

${rules.map((rule) => `- ${rule}`).join('\n')}
`
}

/** Every generated file by its path from the root. */
export function referenceFiles(): ReadonlyMap<string, string> {
  const schema = (kind: DocumentKind): string => `${JSON.stringify(jsonSchema(kind), null, 2)}\n`
  return new Map([
    ['docs/reference/tenant.md', referencePage('Tenant')],
    ['docs/reference/platform.md', referencePage('Platform')],
    ['docs/reference/tenant.schema.json', schema('Tenant')],
    ['docs/reference/platform.schema.json', schema('Platform')],
  ])
}

if (import.meta.main) {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..')
  for (const [path, text] of referenceFiles()) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), text)
    console.log(path)
  }
}
