import { describe, expect, it } from 'vitest'
import { claimsOf, deriveName, matchesPattern, resolveNames } from '../../../src/model/names.ts'
import type { NameKind } from '../../../src/model/names.ts'
import { parseTenant } from '../../../src/model/parse.ts'
import { platformOf, problemsFrom, tenantInput } from './documents.ts'

const uid = '0b7e6b9c-9c55-4a5e-9f5e-0a8b1f3f2c11'
const tenant = (name: string, spec: object = {}) => {
  const document = parseTenant(tenantInput(spec, name))
  return { name, slug: document.spec.slug ?? name, uid, spec: document.spec }
}

describe('a name pattern', () => {
  it.each<[string, NameKind, string]>([
    ['calabi-tenant-<name>', 'namespace', 'calabi-tenant-acme'],
    ['akko-<name>', 'namespace', 'akko-acme'],
    ['aifactory-tenant-<slug>', 'namespace', 'aifactory-tenant-acme-corp'],
    ['<name>_db', 'database', 'acme_db'],
    ['<name>_user', 'role', 'acme_user'],
    ['<name>-warehouse', 'bucket', 'acme-warehouse'],
    ['tenant-<name>', 'policy', 'tenant-acme'],
    ['workspace-<name>-isolation', 'networkPolicy', 'workspace-acme-isolation'],
    ['orgs/<uid>/', 'prefix', `orgs/${uid}/`],
    ['aifactory/orgs/<uid>/*', 'secretPath', `aifactory/orgs/${uid}/*`],
  ])('can say %s', (pattern, kind, expected) => {
    expect(deriveName(pattern, kind, { name: 'acme', slug: 'acme-corp', uid })).toBe(expected)
  })

  it.each<[string, NameKind]>([
    ['<Name>-x', 'namespace'],
    ['fixed', 'namespace'],
    ['orgs/<uid>', 'prefix'],
    ['orgs/*/<uid>/', 'secretPath'],
    ['../<uid>/', 'prefix'],
    ['<name>.', 'networkPolicy'],
    ['<name>$(id)', 'policy'],
  ])('is refused: %s for a %s', (pattern, kind) => {
    problemsFrom(() => deriveName(pattern, kind, { name: 'acme', slug: 'acme', uid }))
  })

  it('tells the names that it makes from others', () => {
    expect(matchesPattern('akko-<name>', 'akko-acme')).toBe(true)
    expect(matchesPattern('akko-<name>', 'argocd')).toBe(false)
    expect(matchesPattern('a.<name>', 'axacme')).toBe(false)
  })
})

describe('the names of a tenant', () => {
  it('are what the platform says, with an explicit namespace first', () => {
    const names = resolveNames(platformOf(), tenant('acme', { compute: { namespace: { name: 'acme-prod' } } }))
    expect(names).toEqual({
      namespace: 'acme-prod',
      database: 'acme_db',
      databaseOwner: 'acme_owner',
      databaseLogin: 'acme_user',
      networkPolicy: 'ringfence-isolation',
    })
  })

  it('fit at the longest tenant name, and are never cut', () => {
    const longest = 'a'.repeat(40)
    expect(resolveNames(platformOf(), tenant(longest)).databaseOwner).toBe(`${longest}_owner`)
    const platform = platformOf({ names: { database: 'a_rather_long_prefix_for_this_<name>_db' } })
    expect(problemsFrom(() => resolveNames(platform, tenant(longest)))[0]).toMatchObject({
      path: '/metadata/name',
      reason: expect.stringContaining('bytes'),
    })
    expect(resolveNames(platform, tenant('ab')).database).toBe('a_rather_long_prefix_for_this_ab_db')
  })

  it("are refused where they would be the product's own", () => {
    const platform = platformOf({ names: { database: '<name>', databaseOwner: 'o_<name>', databaseLogin: 'l_<name>' } })
    expect(problemsFrom(() => resolveNames(platform, tenant('template1')))).toHaveLength(1)
    expect(resolveNames(platform, tenant('template2')).database).toBe('template2')
  })

  it('share nothing between neighbours', () => {
    const claims = ['ab', 'ab2', 'a-b', 'a-b-c', 'a'.repeat(40)].map((name) =>
      claimsOf(resolveNames(platformOf(), tenant(name))),
    )
    const all = claims.flat().map((claim) => `${claim.space} ${claim.name}`)
    expect(new Set(all).size).toBe(all.length)
  })

  it('claim one space for owner and login, so that one tenant cannot be the other role of another', () => {
    const claims = claimsOf(resolveNames(platformOf(), tenant('acme')))
    expect(claims).toEqual([
      { space: 'kubernetes/Namespace', name: 'ringfence-acme' },
      { space: 'postgres/Database', name: 'acme_db' },
      { space: 'postgres/Role', name: 'acme_owner' },
      { space: 'postgres/Role', name: 'acme_user' },
    ])
  })
})
