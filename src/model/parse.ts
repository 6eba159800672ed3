/**
 * The way in for documents: any JavaScript value becomes a document with its defaults, or one error with every
 * problem. Shape only; what needs the platform or the other tenants is decided in `admit.ts`.
 */
import type { z } from 'zod'
import { deepFreeze, isObject } from './json.ts'
import type { Json } from './json.ts'
import type { DocumentKind } from './json-schema.ts'
import { plainJson } from './plain.ts'
import { platformDocument } from './platform.ts'
import type { PlatformDocument } from './platform.ts'
import { platformProblems } from './rules/platform.ts'
import { underPreset } from './presets.ts'
import { invalidDocument, problemsOf } from './problems.ts'
import { tenantDocument } from './tenant.ts'
import type { TenantDocument } from './tenant.ts'

const wanted = { Tenant: 'the tenant document', Platform: 'the platform document' } as const

/**
 * A tenant document with its defaults filled in, frozen. Pure. `status`, which a custom resource carries back, is
 * accepted and left out. Throws `InvalidDocument` with every problem, and nothing else whatever the value.
 */
export function parseTenant(input: unknown): TenantDocument {
  const json = readPlain('Tenant', input)
  return deepFreeze(check('Tenant', tenantDocument, withoutServerFields(json)))
}

/**
 * A platform document, laid over its preset (or over the defaults), frozen. Pure. Throws `InvalidDocument` with every
 * problem, those of the rules for platforms included, and nothing else whatever the value.
 */
export function parsePlatform(input: unknown): PlatformDocument {
  const json = readPlain('Platform', input)
  const document = check('Platform', platformDocument, underPreset(json))
  const problems = platformProblems(document.spec)
  if (problems.length > 0) throw invalidDocument(wanted.Platform, problems)
  return deepFreeze(document)
}

function readPlain(kind: DocumentKind, input: unknown): Json {
  const { json, problems } = plainJson(input)
  if (json === undefined) throw invalidDocument(wanted[kind], problems)
  return json
}

function check<S extends z.ZodType>(kind: DocumentKind, schema: S, json: Json): z.output<S> {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  throw invalidDocument(wanted[kind], problemsOf(kind, json, result.error.issues))
}

/** What the server adds to a document that it gives back; a person may send it again unchanged. */
const serverFields = new Set([
  'uid',
  'generation',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'managedFields',
])

function withoutServerFields(json: Json): Json {
  if (!isObject(json)) return json
  const { status: _, ...rest } = json
  if (!isObject(json['metadata'])) return rest
  const metadata = Object.entries(json['metadata']).filter(([key]) => !serverFields.has(key))
  return { ...rest, metadata: Object.fromEntries(metadata) }
}
