/** Whatever is sent: a clear error that is safe to print, or a document whose derived names are all safe. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admissionProblems, admitTenant } from '../../../src/model/admit.ts'
import { isRingfenceError } from '../../../src/model/errors.ts'
import { resolveNames, slugOf } from '../../../src/model/names.ts'
import { parsePlatform, parseTenant } from '../../../src/model/parse.ts'
import { defaultPlatform, presetNames, presetPlatform } from '../../../src/model/presets.ts'
import type { TenantDocument } from '../../../src/model/tenant.ts'
import { placesIn, replaced } from '../../support/places.ts'
import { platformInput, tenantInput } from './documents.ts'

const uid = '0b7e6b9c-9c55-4a5e-9f5e-0a8b1f3f2c11'
const platforms = [defaultPlatform().spec, ...presetNames.map((name) => presetPlatform(name).spec)]
const acting = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u
const unsafeInNames = /[^a-z0-9_.-]|\.\.|^-|--.*["'`]/

const hostile = [
  '',
  ' ',
  "'; DROP DATABASE postgres; --",
  '"; GRANT CONNECT ON DATABASE x TO PUBLIC; --',
  '../../../../etc/passwd',
  '..',
  '/',
  '$(reboot)',
  '`id`',
  'a;b|c&d>e',
  '\u001b[31mred\u001b[0m',
  'line\r\nanother: line',
  'nul\u0000byte',
  '\u202egnp.exe',
  'e\u0301',
  'ＡＣＭＥ',
  'асме',
  '\ud800',
  'x\udc00y',
  '\u200bacme',
  'ß',
  'İ',
  '${jndi:ldap://x}',
  '{{ .Values.x }}',
  '<script>',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'kube-system',
  'default',
  'ringfence-system',
  'system:masters',
  'ringfence.dev/tenant',
  'pod-security.kubernetes.io/enforce',
  '-rf',
  '--help',
  'a'.repeat(41),
  'a'.repeat(63),
  'a'.repeat(10_000),
  'a--b',
  'a-',
  '0.0.0.0/0',
  '::/0',
  '*',
  'yes',
  '1e400',
  'null',
]

/** Refused with paths, reasons and fixes that are safe to print; or accepted, and answered. */
function judged<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (!isRingfenceError(error)) throw error
    expect(error.code).toBe('InvalidDocument')
    const problems = error.facts.problems ?? []
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.length).toBeLessThanOrEqual(101)
    for (const text of [error.message, ...problems.flatMap(({ path, reason, fix }) => [path, reason, fix])]) {
      expect(text).not.toMatch(acting)
      expect(text.length).toBeLessThan(4_000)
    }
    for (const { path, reason, fix } of problems) {
      expect(path === '' || path.startsWith('/')).toBe(true)
      expect(Math.min(reason.length, fix.length)).toBeGreaterThan(3)
    }
    return undefined
  }
}

/** An accepted document names nothing that could act in SQL, a path or a shell, on any platform. */
function expectSafe(document: TenantDocument): void {
  for (const platform of platforms) {
    const { name } = document.metadata
    judged(() => admitTenant(document, { platform, others: [] }))
    const names = judged(() =>
      resolveNames(platform, { name, slug: slugOf({ name, spec: document.spec }), uid, spec: document.spec }),
    )
    for (const derived of Object.values(names ?? {})) {
      expect(derived).not.toMatch(unsafeInNames)
      expect(derived.length).toBeGreaterThan(0)
    }
  }
}

/** How the judgements went: a run in which all were refused would say little about what is accepted. */
const tally = { accepted: 0, refused: 0 }

const check = (input: unknown): void => {
  const document = judged(() => parseTenant(input))
  tally[document === undefined ? 'refused' : 'accepted'] += 1
  if (document !== undefined) expectSafe(document)
}

const text = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
)
const anything = fc.oneof(
  { depthSize: 'small' },
  text,
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  }),
)

const good = tenantInput({
  displayName: 'Acme',
  slug: 'acme-corp',
  tags: { team: 'a' },
  domain: 'data.acme.com',
  compute: {
    namespace: { name: 'acme-prod', labels: { team: 'x' } },
    quota: { pods: 3 },
    allowed: { imageRegistries: ['ghcr.io/acme'], ingressHosts: ['a.acme.com'] },
  },
  network: {
    allowTo: [
      { peers: [{ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.128/25'] } }], ports: [{ port: 443 }] },
    ],
    egress: { fqdns: [] },
  },
  access: {
    roleBindings: [{ role: 'owner', groups: ['acme-admins'], serviceAccounts: [{ namespace: 'ci', name: 'x' }] }],
    directGrants: [{ user: 'a@acme.com', role: 'viewer' }],
  },
}) as { readonly [key: string]: unknown }

describe('any value at all', () => {
  it('is refused clearly or accepted safely', () => {
    fc.assert(fc.property(anything, check), { numRuns: 2_000 })
  })
  it('is refused clearly as a platform, too', () => {
    fc.assert(
      fc.property(anything, (value) => void judged(() => parsePlatform(value))),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(
        anything,
        (value) => void judged(() => parsePlatform(platformInput({ names: { namespace: value }, kubernetes: value }))),
      ),
      { numRuns: 500 },
    )
  })
})

describe('a good document with one thing changed', () => {
  const places = placesIn(good)
  it('is accepted without the change', () => {
    expect(admissionProblems(parseTenant(good), { platform: defaultPlatform().spec, others: [] })).toEqual([])
  })
  it('is refused clearly or accepted safely, wherever and whatever the change', () => {
    fc.assert(
      fc.property(fc.constantFrom(...places), anything, (place, by) => check(replaced(good, place, by))),
      { numRuns: 4_000 },
    )
  })
  it('holds for every hostile text in every place', () => {
    for (const place of places) for (const by of hostile) check(replaced(good, place, by))
  })
  it('holds for every hostile key in every object', () => {
    const at = (path: readonly (string | number)[]): unknown =>
      path.reduce<unknown>((value, key) => (value as { readonly [key: string]: unknown })[key], good)
    for (const place of places) {
      const here = at(place)
      if (typeof here !== 'object' || here === null || Array.isArray(here)) continue
      for (const key of hostile) check(replaced(good, place, Object.fromEntries([...Object.entries(here), [key, 'x']])))
    }
  })
  it('was judged both ways, often', () => {
    expect(tally.accepted).toBeGreaterThan(200)
    expect(tally.refused).toBeGreaterThan(2_000)
  })
})

describe('names', () => {
  it('are lower-case labels without "--", or refused', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.stringMatching(/^[a-z0-9-]{1,45}$/)), (name) => {
        const document = judged(() => parseTenant(tenantInput({}, name)))
        if (document === undefined) return
        expect(name).toMatch(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/)
        expect(name).not.toContain('--')
      }),
      { numRuns: 2_000 },
    )
  })
})
