/** The OpenAPI 3.1 document, made of the very schemas that requests are checked with. */
import swagger from '@fastify/swagger'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { App } from './context.ts'
import { components } from './schemas.ts'

/** Must be registered before any route, so that it sees them all. */
export function describeRoutes(app: App, version: string): void {
  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ringfence, platform plane',
        version,
        description: 'Tenants of data and AI platforms: provisioned, proved, kept, and taken down. Errors are problem+json (RFC 9457) with a stable `code`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'From the 0600 file `token` of the data directory.' } } },
      security: [{ token: [] }],
      tags: ['tenants', 'plans', 'proofs', 'events', 'audit', 'platform'].map((name) => ({ name })),
    },
    transform: createJsonSchemaTransform({ schemaRegistry: components }),
    transformObject: createJsonSchemaTransformObject({ schemaRegistry: components }),
  })
}
