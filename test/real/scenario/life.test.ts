/** The life of tenants on whole servers: odd names, real credentials, changes by hand, renames, successors, removals. */
import { toRingfenceError } from '../../../src/model/errors.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ClusterAccess } from '../../../src/model/backends.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import { documentOf } from '../../support/engine.ts'
import { describeOn } from '../../support/servers.ts'
import { account, allProved, caller, startWhole, type Whole } from '../../support/whole.ts'

/** Names that begin with one another, differ by a dash, and the longest. */
const longest = `l${'o'.repeat(38)}g`
const names = ['ab', 'ab2', 'a-b', longest] as const

let whole: Whole

beforeAll(async () => {
  whole = await startWhole()
  for (const name of names) await create(name)
  await whole.ready(names)
})
afterAll(async () => {
  await whole?.stop()
})

const plane = () => whole.running.controlPlane
const document = (name: string, more: object = {}) =>
  documentOf(name, { access: { roleBindings: [{ role: 'owner', groups: [`team-of-${name}`] }] }, ...more })
const create = (name: string, more: object = {}) => plane().create(document(name, more), caller)

interface Login {
  readonly user: string
  readonly password: string
  readonly database: string
}
const secretPath = (name: string) => `/api/v1/namespaces/ringfence-${name}/secrets/database-credentials`
async function loginOf(name: string): Promise<Login> {
  const answer = await whole.kube('GET', secretPath(name))
  expect(answer.status, answer.message).toBe(200)
  const data = answer.body['data'] as { readonly [key: string]: string }
  const value = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString()
  return { user: value('username'), password: value('password'), database: value('database') }
}
const refusalOf = (who: Login, ...statements: readonly string[]) =>
  whole.sqlAs(who, ...(statements.length === 0 ? ['select 1'] : statements))
const uidOf = async (path: string): Promise<unknown> =>
  ((await whole.kube('GET', path)).body['metadata'] as JsonObject)['uid']

describeOn(['kubernetes', 'postgres18'], 'tenants whose names are close', () => {
  it('share nothing, and are proved isolated', async () => {
    const report = await plane().prove([], caller)
    expect(allProved(report), account(report)).toBe(true)
    const { rows } = await whole.sql(
      'ringfence',
      `select kind, external_name, count(distinct owner) as owners from ringfence.inventory group by 1, 2 having count(distinct owner) > 1`,
    )
    expect(rows).toEqual([])
    const { rows: counted } = await whole.sql(
      'ringfence',
      'select owner, count(*)::int as things from ringfence.inventory group by 1',
    )
    expect(counted.length).toBe(names.length + 1)
    for (const { things } of counted as { things: number }[]) expect(things).toBeGreaterThan(5)
  })

  it('get into their own database with the password of their Secret, and into no other', async () => {
    for (const name of names) {
      const login = await loginOf(name)
      expect(
        await refusalOf(login, 'create table mine (x int)', 'insert into mine values (1)', 'drop table mine'),
      ).toBeUndefined()
      const others = await Promise.all(
        names.filter((other) => other !== name).map(async (other) => (await loginOf(other)).database),
      )
      const { rows } = await whole.sql(
        'postgres',
        `select datname from pg_database where datallowconn and datname <> '${login.database}'`,
      )
      const shut = await Promise.all(
        (rows as { datname: string }[]).map(
          async ({ datname }) => [datname, await refusalOf({ ...login, database: datname })] as const,
        ),
      )
      expect(shut.map(([database]) => database)).toEqual(
        expect.arrayContaining([...others, 'postgres', 'template1', 'ringfence']),
      )
      for (const [database, code] of shut) expect(code, `${name} in ${database}`).toBe('42501')
      expect(await refusalOf({ ...login, password: `${login.password}x` })).toBe('28P01')
    }
  })

  it('and their ServiceAccounts list pods in their own namespace, and are forbidden all else', async () => {
    const token = async (name: string): Promise<ClusterAccess> => {
      const answer = await whole.kube('POST', `/api/v1/namespaces/ringfence-system/serviceaccounts/${name}-editor/token`, {
        apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 },
      }) // prettier-ignore
      expect(answer.status, answer.message).toBe(201)
      const text = String((answer.body['status'] as JsonObject)['token'])
      return { server: whole.cluster.server, ca: whole.cluster.ca, token: async () => text }
    }
    for (const name of ['ab', 'ab2'] as const) {
      const api = whole.apiOf(await token(name))
      expect((await api('GET', `/api/v1/namespaces/ringfence-${name}/pods`)).status).toBe(200)
      const closed = [
        ...names.filter((other) => other !== name).map((other) => `/api/v1/namespaces/ringfence-${other}/pods`),
        '/api/v1/namespaces/ringfence-system/serviceaccounts',
        '/api/v1/namespaces',
        '/api/v1/pods',
        '/api/v1/nodes',
        `${secretPath(name === 'ab' ? 'ab2' : 'ab')}`,
      ]
      for (const path of closed) {
        const answer = await api('GET', path)
        expect([answer.status, answer.reason], path).toEqual([403, 'Forbidden'])
      }
      const impersonated = await api('POST', `/api/v1/namespaces/ringfence-system/serviceaccounts/ab-owner/token`, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {},
      })
      expect([impersonated.status, impersonated.reason]).toEqual([403, 'Forbidden'])
    }
  })
})

describeOn(['kubernetes', 'postgres18'], 'a credential is made anew', () => {
  const logsInAgain = (before: Login, what: string) =>
    whole.until(
      what,
      async () => {
        const now = await loginOf('ab')
        return now.password !== before.password && (await refusalOf(now)) === undefined
      },
      40_000,
    )

  it('when its owner changed the password, and no other way in is left', { timeout: 60_000 }, async () => {
    const before = await loginOf('ab')
    expect(await refusalOf(before, `alter role ab_user password 'of-my-own-making'`)).toBeUndefined()
    expect(await refusalOf(before)).toBe('28P01')
    await logsInAgain(before, 'the Secret logs in again')
    expect(await refusalOf({ ...before, password: 'of-my-own-making' })).toBe('28P01')
    expect(await refusalOf(before)).toBe('28P01')
  })

  it('when the Secret is edited by hand', { timeout: 60_000 }, async () => {
    const before = await loginOf('ab')
    const edited = await whole.kube('PATCH', secretPath('ab'), {
      data: { password: Buffer.from('guessed').toString('base64') },
    })
    expect(edited.status, edited.message).toBe(200)
    await logsInAgain(before, 'the Secret logs in again')
    expect((await loginOf('ab')).password).not.toBe('guessed')
    expect(await refusalOf({ ...before, password: 'guessed' })).toBe('28P01')
  })

  it('when the Secret is deleted', { timeout: 60_000 }, async () => {
    const before = await loginOf('ab')
    expect((await whole.kube('DELETE', secretPath('ab'))).status).toBe(200)
    await logsInAgain(before, 'a new Secret logs in')
    expect(await refusalOf(before)).toBe('28P01')
  })
})

describeOn(['kubernetes', 'postgres18'], 'what lets a tenant in is put back', () => {
  it('when its bindings and its accounts in our namespace are deleted', { timeout: 60_000 }, async () => {
    const lost = [
      '/api/v1/namespaces/ringfence-system/serviceaccounts/ab-editor',
      '/apis/rbac.authorization.k8s.io/v1/namespaces/ringfence-ab2/rolebindings/ringfence-owner',
    ]
    for (const path of lost) {
      const before = await uidOf(path)
      expect((await whole.kube('DELETE', path)).status).toBe(200)
      await whole.until(`${path} is back`, async () => ![undefined, before].includes(await uidOf(path)), 10_000)
    }
  })

  it('when its login is closed, or shut out of its database', { timeout: 60_000 }, async () => {
    const login = await loginOf('ab')
    expect(await refusalOf(login)).toBeUndefined()
    await whole.sql('postgres', 'alter role ab_user nologin', 'revoke connect on database ab2_db from ab2_user')
    expect(await refusalOf(login)).toBe('28000')
    expect(await refusalOf(await loginOf('ab2'))).toBe('42501')
    await whole.until(
      'both get in again',
      async () =>
        (await refusalOf(await loginOf('ab'))) === undefined && (await refusalOf(await loginOf('ab2'))) === undefined,
      40_000,
    )
  })
})

describeOn(['kubernetes', 'postgres18'], 'a tenant changes', () => {
  it('its slug, and nothing that exists is renamed', { timeout: 60_000 }, async () => {
    const before = await plane().get('a-b')
    const namespace = await uidOf('/api/v1/namespaces/ringfence-a-b')
    const { outcome } = await plane().apply(document('a-b', { slug: 'renamed' }), caller)
    expect(outcome).toBe('changed')
    await whole.until('the change is in place', async () => {
      const { status, metadata } = await plane().get('a-b')
      return status.phase === 'Ready' && status.observedGeneration === metadata.generation
    })
    const after = await plane().get('a-b')
    expect(after.metadata.generation).toBe(before.metadata.generation + 1)
    expect(after.status.names).toEqual(before.status.names)
    expect(await uidOf('/api/v1/namespaces/ringfence-a-b')).toBe(namespace)
    const told: string[] = []
    const stop = new AbortController()
    for await (const event of plane().events({ tenant: 'a-b' }, stop.signal)) {
      told.push(event.reason)
      if (event.reason === 'SlugRenamed') break
    }
    stop.abort()
    expect(told).toContain('SlugRenamed')
  })

  it(
    'its namespace for a stranger’s of the same name, which is left alone and reported',
    { timeout: 120_000 },
    async () => {
      const path = '/api/v1/namespaces/ringfence-ab2'
      await plane().pause(caller)
      const ours = await uidOf(path)
      expect((await whole.kube('DELETE', path)).status).toBe(200)
      await whole.until('the namespace is gone', async () => (await whole.kube('GET', path)).status === 404)
      const made = await whole.kube('POST', '/api/v1/namespaces', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'ringfence-ab2', labels: { of: 'a-stranger' } },
      })
      expect(made.status, made.message).toBe(201)
      const kept = async () => {
        const { metadata } = (await whole.kube('GET', path)).body as { metadata: { uid: string; labels: object } }
        const inside = await Promise.all(
          [
            '/api/v1/namespaces/ringfence-ab2/secrets',
            '/api/v1/namespaces/ringfence-ab2/resourcequotas',
            '/apis/networking.k8s.io/v1/namespaces/ringfence-ab2/networkpolicies',
            '/apis/rbac.authorization.k8s.io/v1/namespaces/ringfence-ab2/rolebindings',
          ].map(async (one) => ((await whole.kube('GET', one)).body['items'] as unknown[]).length),
        )
        return { uid: metadata.uid, labels: metadata.labels, inside }
      }
      const before = await kept()
      expect(before.uid).not.toBe(ours)
      await plane().resume(caller)
      await whole.until('the conflict is told', async () =>
        (await plane().get('ab2')).status.conditions.some(
          (one) => one.type === 'NameConflict' && one.status === 'True' && one.message.includes('ringfence-ab2'),
        ),
      )
      expect((await plane().get('ab2')).status.phase).toBe('Degraded')
      const report = await plane().prove(['ab2'], caller)
      expect(allProved(report)).toBe(false)
      await plane().apply(document('ab2', { description: 'a late write' }), caller)
      await whole.until('the late write was looked at', async () => {
        const { status, metadata } = await plane().get('ab2')
        return status.observedGeneration === metadata.generation
      })
      expect(await kept()).toEqual(before)
      expect((await whole.kube('DELETE', path)).status).toBe(200)
      await whole.ready(['ab2'])
      expect(allProved(await plane().prove(['ab2'], caller))).toBe(true)
    },
  )
})

/** Everything that there is, by kind and name, with its id: what a removal must leave as it was. */
async function census(): Promise<ReadonlyMap<string, string>> {
  const paths = {
    Namespace: '/api/v1/namespaces',
    ServiceAccount: '/api/v1/serviceaccounts',
    Secret: '/api/v1/secrets',
    ConfigMap: '/api/v1/configmaps',
    ResourceQuota: '/api/v1/resourcequotas',
    LimitRange: '/api/v1/limitranges',
    NetworkPolicy: '/apis/networking.k8s.io/v1/networkpolicies',
    Role: '/apis/rbac.authorization.k8s.io/v1/roles',
    RoleBinding: '/apis/rbac.authorization.k8s.io/v1/rolebindings',
    ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
    ValidatingAdmissionPolicy: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
  }
  const found = new Map<string, string>()
  for (const [kind, path] of Object.entries(paths)) {
    const answer = await whole.kube('GET', path)
    expect(answer.status, path).toBe(200)
    for (const { metadata } of answer.body['items'] as {
      metadata: { name: string; namespace?: string; uid: string }
    }[])
      found.set(`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, metadata.uid)
  }
  const { rows } = await whole.sql(
    'postgres',
    `select 'Role /' || rolname as thing, oid::text as id from pg_roles union all select 'Database /' || datname, oid::text from pg_database`,
  )
  for (const { thing, id } of rows as { thing: string; id: string }[]) found.set(thing, id)
  return found
}
const gone = (name: string, timeoutMs = 60_000) =>
  whole.until(
    `${name} is gone`,
    async () =>
      (await plane()
        .get(name)
        .catch((error: unknown) => toRingfenceError(error).code)) === 'NotFound',
    timeoutMs,
  )

describeOn(['kubernetes', 'postgres18'], 'a removal', () => {
  it('takes exactly what was the tenant’s', { timeout: 120_000 }, async () => {
    const before = await census()
    await create('leaver')
    await whole.ready(['leaver'])
    const during = await census()
    expect([...during.keys()].filter((key) => !before.has(key)).length).toBeGreaterThan(12)
    await expect(plane().remove('leaver', 'leave', caller)).rejects.toMatchObject({ code: 'Guarded' })
    await plane().remove('leaver', 'leaver', caller)
    await gone('leaver')
    const after = await census()
    expect([...after.keys()].filter((key) => !before.has(key))).toEqual([])
    expect([...before].filter(([key, id]) => after.get(key) !== id)).toEqual([])
  })

  it('that keeps the database keeps no way into it, nor its name free', { timeout: 120_000 }, async () => {
    await create('keeper', { lifecycle: { retain: ['database'] } })
    await whole.ready(['keeper'])
    const login = await loginOf('keeper')
    expect(await refusalOf(login, 'create table kept (x int)', 'insert into kept values (42)')).toBeUndefined()
    await plane().remove('keeper', 'keeper', caller)
    await gone('keeper')
    expect((await whole.sql('keeper_db', 'select x from kept')).rows).toEqual([{ x: 42 }])
    expect((await whole.sql('postgres', `select rolname from pg_roles where rolname like 'keeper%'`)).rows).toEqual([
      { rolname: 'keeper_owner' },
    ])
    expect(await refusalOf(login)).toBe('28P01')
    expect((await whole.kube('GET', '/api/v1/namespaces/ringfence-keeper')).status).toBe(404)
    expect(await refusalOf({ ...(await loginOf('ab')), database: 'keeper_db' })).toBe('42501')
    await expect(create('keeper')).rejects.toMatchObject({ code: 'NameConflict' })
    const report = await plane().prove([], caller)
    expect(allProved(report), account(report)).toBe(true)
  })

  it('that something holds says what, and forces nothing', { timeout: 120_000 }, async () => {
    await create('stuck')
    await whole.ready(['stuck'])
    const held = '/api/v1/namespaces/ringfence-stuck/configmaps/held'
    const made = await whole.kube('POST', '/api/v1/namespaces/ringfence-stuck/configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'held', finalizers: ['example.com/hold'] },
    })
    expect(made.status, made.message).toBe(201)
    await plane().remove('stuck', 'stuck', caller)
    await whole.until('it says what holds it', async () =>
      (await plane().get('stuck')).status.conditions.some((one) => one.message.includes('example.com/hold')),
    )
    expect((await plane().get('stuck')).status.phase).toBe('TearingDown')
    const { metadata } = (await whole.kube('GET', held)).body as {
      metadata: { finalizers: string[]; deletionTimestamp: string }
    }
    expect(metadata.finalizers).toEqual(['example.com/hold'])
    expect(metadata.deletionTimestamp).toBeDefined()
    expect((await whole.kube('PATCH', held, { metadata: { finalizers: null } })).status).toBe(200)
    await gone('stuck')
    expect((await whole.kube('GET', '/api/v1/namespaces/ringfence-stuck')).status).toBe(404)
  })
})
