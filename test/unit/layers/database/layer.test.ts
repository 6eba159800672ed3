import { describe, expect, it } from 'vitest'
import { databaseAddress, databaseLayer } from '../../../../src/layers/database/layer.ts'
import { addressOf, type Resource } from '../../../../src/model/resource.ts'
import { platformSpec } from '../../../../src/model/platform.ts'
import { databaseTenant, layerContext } from '../../../support/database-tenant.ts'

const acme = databaseTenant('acme')
const resources = databaseLayer.desired(acme, layerContext)
const one = (address: string): Resource => {
  const found = resources.find((resource) => resource.address === address)
  if (found === undefined) throw new Error(`no ${address}`)
  return found
}
const login = one('acme:database/role/login')
const credential = one('acme:database/credential/login')

/** Everything that a resource waits for, directly or not. */
function before(resource: Resource): ReadonlySet<string> {
  const seen = new Set<string>(resource.needs)
  for (const address of seen)
    for (const next of resources.find((found) => found.address === address)?.needs ?? []) seen.add(next)
  return seen
}

describe('the database layer', () => {
  it('gives a tenant an owner role, a database, a credential, a login and its grants', () => {
    expect(resources.map(({ kind, address }) => [kind, address])).toEqual([
      ['postgres/Role', 'acme:database/role/owner'],
      ['postgres/Database', 'acme:database/database/main'],
      ['credential/Login', 'acme:database/credential/login'],
      ['postgres/Role', 'acme:database/role/login'],
      ['postgres/DatabaseGrants', 'acme:database/grants/main'],
    ])
    expect(databaseAddress('acme')).toBe('acme:database/database/main')
  })

  it('makes the fences before the credential, the credential before the login, and the way in last', () => {
    expect([...before(credential)]).toEqual(
      expect.arrayContaining([
        'acme:compute/namespace/main',
        'acme:network/network-policy/default-deny',
        'acme:database/database/main',
      ]),
    )
    expect(login.needs).toContain(credential.address)
    expect(login.needs).toContain('platform:database/server-fence/main')
    expect(before(one('acme:database/grants/main'))).toContain(login.address)
    expect(login.secrets).toEqual([{ name: 'password', role: 'verifier', source: credential.address }])
    expect(credential.secrets).toEqual([{ name: 'password', role: 'source' }])
  })

  it('gives nobody the owner role, and neither role any power', () => {
    for (const role of [one('acme:database/role/owner'), login]) {
      expect(role.spec).toMatchObject({
        superuser: false,
        createRole: false,
        createDb: false,
        replication: false,
        bypassRls: false,
        memberOf: [],
        members: [],
      })
    }
    expect(one('acme:database/role/owner').spec['login']).toBe(false)
  })

  it('takes connection limit and statement time-out from the document', () => {
    const tenant = databaseTenant('acme', { database: { connectionLimit: 7, statementTimeoutSeconds: 30 } })
    const made = databaseLayer.desired(tenant, layerContext).find(({ address }) => address === login.address)
    expect(made?.spec).toMatchObject({
      connectionLimit: 7,
      settings: { statement_timeout: '30000', search_path: ['public', 'pg_temp'] },
    })
  })

  it('keeps database and owner role where data is retained, by document or platform, and never the access', () => {
    const kept = databaseLayer.desired(databaseTenant('acme', { lifecycle: { retain: ['database'] } }), layerContext)
    const byPlatform = databaseLayer.desired(acme, {
      ...layerContext,
      platform: platformSpec.parse({ defaults: { retain: ['database'] } }),
    })
    for (const list of [kept, byPlatform])
      expect(list.map(({ onRemove }) => onRemove)).toEqual(['retain', 'retain', 'delete', 'delete', 'delete'])
    expect(resources.every(({ onRemove }) => onRemove === 'delete')).toBe(true)
  })

  it('fences the server once, for all tenants', () => {
    expect(databaseLayer.platform(layerContext).map(({ kind, address }) => [kind, address])).toEqual([
      ['postgres/ServerFence', addressOf('platform', 'database', 'server-fence', 'main')],
    ])
  })

  it.each([
    [{ database: { mode: 'dedicated' } }, layerContext, '/spec/database/mode'],
    [{ database: { federated: [{ name: 'sales', secretName: 'sales' }] } }, layerContext, '/spec/database/federated'],
    [
      { database: { mode: 'none', federated: [{ name: 'sales', secretName: 'sales' }] } },
      layerContext,
      '/spec/database/federated',
    ],
    [
      {},
      { ...layerContext, backends: { kubernetes: 'kubernetes', credentials: 'credentials' } },
      '/spec/database/mode',
    ],
    [{}, { ...layerContext, backends: { postgres: 'postgres' } }, '/spec/database/mode'],
    [{}, { ...layerContext, platform: platformSpec.parse({ database: { mode: 'none' } }) }, '/spec/database/mode'],
  ])('refuses %j as not configured, with the path, and makes nothing', (spec, context, path) => {
    const tenant = databaseTenant('acme', spec)
    const problem = databaseLayer.problem(tenant, context)
    expect(problem).toMatchObject({ code: 'NotConfigured', facts: { problems: [{ path }] } })
    expect(databaseLayer.wanted(tenant, context)).toBe(true)
    expect(databaseLayer.desired(tenant, context)).toEqual([])
  })

  it('is not wanted, and claims nothing, where the document asks for no database', () => {
    const tenant = databaseTenant('acme', { database: { mode: 'none' } })
    expect(databaseLayer.wanted(tenant, layerContext)).toBe(false)
    expect(databaseLayer.problem(tenant, layerContext)).toBeUndefined()
    expect(databaseLayer.claims(tenant, layerContext)).toEqual([])
    expect(databaseLayer.claims(acme, layerContext).map(({ id }) => id)).toEqual(['grants.contained', 'grants.fenced'])
  })
})
