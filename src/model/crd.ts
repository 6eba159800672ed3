/**
 * The CustomResourceDefinition of a document, converted from its JSON Schema to the structural form that Kubernetes
 * asks for (no references, no look-arounds, types outside of `anyOf`). Rules that need the platform stay in
 * `admit.ts`; what never changes is said in CEL, so that the API server itself refuses it.
 */
import type { Json, JsonObject } from './json.ts'
import { jsonSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'

type Schema = { [key: string]: Json }

/** RE2 knows no look-arounds and no back-references; the format that zod names beside such a pattern stays. */
const portable = (pattern: string): boolean => !/\(\?[=!<]|\\[1-9]/.test(pattern)

const carried = ['description', 'minLength', 'maxLength', 'minItems', 'maxItems', 'default', 'enum'] as const

/** One schema in structural form. */
export function structural(schema: JsonSchema): JsonObject {
  if (schema.anyOf !== undefined) return { ...described(schema), ...union(schema.anyOf) }
  const result: Schema = { ...described(schema) }
  if (schema.type !== undefined) result['type'] = schema.type
  if (schema.const !== undefined) result['enum'] = [schema.const]
  if (schema.pattern !== undefined && portable(schema.pattern)) result['pattern'] = schema.pattern
  if (schema.format === 'date-time') result['format'] = schema.format
  Object.assign(result, range(schema))
  if (schema.items !== undefined) result['items'] = structural(schema.items)
  // Kubernetes allows fields or a map, never both; fields that are not known are pruned or refused by itself.
  if (schema.properties !== undefined) {
    result['properties'] = Object.fromEntries(
      Object.entries(schema.properties).map(([name, inner]) => [name, structural(inner)]),
    )
    if (schema.required !== undefined && schema.required.length > 0) result['required'] = schema.required
  } else if (typeof schema.additionalProperties === 'object') {
    result['additionalProperties'] = structural(schema.additionalProperties)
  }
  return result
}

function described(schema: JsonSchema): JsonObject {
  const result: Schema = {}
  for (const field of carried) {
    const value = schema[field]
    if (value !== undefined) result[field] = value
  }
  return result
}

/** OpenAPI 3.0 keeps exclusiveness beside the bound; the safe-integer bounds of JavaScript say nothing to people. */
function range(schema: JsonSchema): JsonObject {
  const result: Schema = schema.type === 'integer' ? { format: 'int64' } : {}
  const lower = schema.exclusiveMinimum ?? schema.minimum
  const upper = schema.exclusiveMaximum ?? schema.maximum
  if (lower !== undefined && lower > Number.MIN_SAFE_INTEGER) result['minimum'] = lower
  if (upper !== undefined && upper < Number.MAX_SAFE_INTEGER) result['maximum'] = upper
  if (schema.exclusiveMinimum !== undefined) result['exclusiveMinimum'] = true
  if (schema.exclusiveMaximum !== undefined) result['exclusiveMaximum'] = true
  return result
}

function union(branches: readonly JsonSchema[]): JsonObject {
  const types = new Set(branches.map((branch) => branch.type))
  if (types.size === 2 && types.has('integer') && types.has('string')) return intOrString(branches)
  if (types.size === 1 && types.has('object')) return objectUnion(branches)
  throw new TypeError(`no structural form for a union of ${[...types].join(' and ')}`)
}

function intOrString(branches: readonly JsonSchema[]): JsonObject {
  const { format: _, ...bounds } = range(branches.find((branch) => branch.type === 'integer') ?? {})
  const { pattern, maxLength } = branches.find((branch) => branch.type === 'string') ?? {}
  return {
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    ...bounds,
    ...(pattern === undefined ? {} : { pattern }),
    ...(maxLength === undefined ? {} : { maxLength }),
  }
}

/** All fields of all branches, then per branch which it needs and which are not its own: at least one must fit. */
function objectUnion(branches: readonly JsonSchema[]): JsonObject {
  const properties = Object.assign({}, ...branches.map((branch) => branch.properties ?? {})) as {
    [name: string]: JsonSchema
  }
  const names = Object.keys(properties)
  return {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, structural(properties[name] ?? {})])),
    anyOf: branches.map((branch) => {
      const strange = names.filter((name) => !Object.hasOwn(branch.properties ?? {}, name))
      return {
        required: branch.required ?? [],
        ...(strange.length === 0 ? {} : { not: { anyOf: strange.map((name) => ({ required: [name] })) } }),
      }
    }),
  }
}

const immutable = (field: string): JsonObject => ({
  rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
  message: `${field} cannot change`,
  reason: 'FieldValueForbidden',
})

/** SPEC §1: derived names are locked for the tenant's life. */
const tenantRules: { readonly [path: string]: readonly JsonObject[] } = {
  'spec/compute/namespace': [immutable('name'), immutable('adopt'), immutable('create')],
  'spec/database': [
    {
      rule: "!has(oldSelf.mode) || oldSelf.mode == 'none' || (has(self.mode) && self.mode == oldSelf.mode)",
      message: 'mode cannot change: the database and its data would go',
      reason: 'FieldValueForbidden',
    },
  ],
}

/** Adds CEL rules to the object schema at a path of fields. */
function withRules(schema: JsonObject, path: readonly string[], rules: readonly JsonObject[]): JsonObject {
  const [field, ...rest] = path
  if (field === undefined) return { ...schema, 'x-kubernetes-validations': rules }
  const properties = schema['properties'] as { readonly [name: string]: JsonObject } | undefined
  const inner = properties?.[field]
  if (inner === undefined) throw new TypeError(`no field ${field} to put a rule on`)
  return { ...schema, properties: { ...properties, [field]: withRules(inner, rest, rules) } }
}

const time: JsonObject = { type: 'string', format: 'date-time' }
const text: JsonObject = { type: 'string' }

const status: JsonObject = {
  type: 'object',
  properties: {
    phase: text,
    observedGeneration: { type: 'integer', format: 'int64' },
    names: { type: 'object', additionalProperties: text },
    conditions: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status'],
        properties: {
          type: text,
          status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
          reason: text,
          message: text,
          lastTransitionTime: time,
          nextRetryTime: time,
          observedGeneration: { type: 'integer', format: 'int64' },
        },
      },
    },
    proof: {
      type: 'object',
      properties: {
        at: time,
        ...Object.fromEntries(
          ['proved', 'refuted', 'undecided'].map((verdict) => [verdict, { type: 'integer', format: 'int64' }]),
        ),
      },
    },
  },
}

/** The definition of the Tenant resource, cluster-scoped, ready to be applied. */
export function tenantDefinition(): JsonObject {
  const { properties = {}, description } = jsonSchema('Tenant')
  let root: JsonObject = {
    type: 'object',
    description: description ?? 'A tenant of the platform: what it is, and what keeps it apart.',
    required: ['spec'],
    properties: {
      apiVersion: text,
      kind: text,
      // Kubernetes lets a definition restrict the name of an object and nothing else of its metadata.
      metadata: {
        type: 'object',
        properties: { name: structural(properties['metadata']?.properties?.['name'] ?? {}) },
      },
      spec: structural(properties['spec'] ?? {}),
      status,
    },
  }
  for (const [path, rules] of Object.entries(tenantRules)) root = withRules(root, path.split('/'), rules)
  const version: JsonObject = {
    name: 'v1alpha1',
    served: true,
    storage: true,
    subresources: { status: {} },
    additionalPrinterColumns: [
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Tier', type: 'string', jsonPath: '.spec.tier' },
      { name: 'Namespace', type: 'string', jsonPath: '.status.names.namespace' },
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Refuted', type: 'integer', jsonPath: '.status.proof.refuted', priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    schema: { openAPIV3Schema: root },
  }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'tenants.ringfence.dev' },
    spec: {
      group: 'ringfence.dev',
      scope: 'Cluster',
      names: {
        kind: 'Tenant',
        listKind: 'TenantList',
        plural: 'tenants',
        singular: 'tenant',
        shortNames: ['rft'],
        categories: ['ringfence'],
      },
      versions: [version],
    },
  }
}
