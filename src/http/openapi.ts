/** The OpenAPI 3.1 document, made of the very schemas that requests are checked with. */
import swagger from '@fastify/swagger'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { App } from './context.ts'
import { components } from './schemas.ts'

type Described = { components?: { schemas?: Record<string, unknown> } }

/** Names of the components that a value refers to. */
const referred = (value: unknown): readonly string[] =>
  [...JSON.stringify(value ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? '')

/** Leaves out components that nothing refers to: each schema is made once as request and once as answer. */
function onlyUsed(document: Described): Described {
  const schemas = document.components?.schemas ?? {}
  const used = new Set<string>()
  const open = referred({ ...document, components: undefined }).slice()
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (used.has(name)) continue
    used.add(name)
    open.push(...referred(schemas[name]))
  }
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)))
  return { ...document, components: { ...document.components, schemas: kept } }
}

type ZodToJsonConfig = NonNullable<NonNullable<Parameters<typeof createJsonSchemaTransform>[0]>['zodToJsonConfig']>

/**
 * What the documents' schemas say of themselves (`describe`) is kept by zod apart from our component names; and the
 * side of a union that only exists while parsing says nothing about an answer.
 */
const override: NonNullable<ZodToJsonConfig['override']> = ({ zodSchema, jsonSchema }) => {
  const said = z.globalRegistry.get(zodSchema as unknown as z.ZodType)?.description
  if (said !== undefined) jsonSchema.description ??= said
  if (jsonSchema.anyOf) jsonSchema.anyOf = jsonSchema.anyOf.filter((side) => Object.keys(side).length > 0)
}
const conversion = { schemaRegistry: components, zodToJsonConfig: { override } }

/** Must be registered before any route, so that it sees them all. */
export function describeRoutes(app: App, version: string): void {
  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ringfence, platform plane',
        version,
        description:
          'Tenants of data and AI platforms: provisioned, proved, kept, and taken down. Errors are problem+json (RFC 9457) with a stable `code`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'From the 0600 file `token` of the data directory.' },
        },
      },
      security: [{ token: [] }],
      tags: ['tenants', 'plans', 'proofs', 'events', 'audit', 'platform'].map((name) => ({ name })),
    },
    transform: createJsonSchemaTransform(conversion),
    transformObject: (input) => onlyUsed(createJsonSchemaTransformObject(conversion)(input) as Described) as never,
  })
}
