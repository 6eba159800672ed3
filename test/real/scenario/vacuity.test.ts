/**
 * No proof is empty: every fence, removed or weakened by hand, is named by `prove` and put back, and where a server
 * cannot be asked nothing is proved.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { JsonObject } from '../../../src/model/json.ts'
import type { Resource } from '../../../src/model/resource.ts'
import type { Report } from '../../../src/model/verdict.ts'
import { collectionPath, drivenKinds, objectPath } from '../../../src/drivers/kubernetes/kinds.ts'
import { documentOf } from '../../support/engine.ts'
import { describeOn } from '../../support/servers.ts'
import { account, allProved, caller, namedIn, startWhole, type Whole } from '../../support/whole.ts'

const tenants = ['acme', 'globex'] as const
type Name = (typeof tenants)[number]

let whole: Whole

beforeAll(async () => {
  whole = await startWhole()
  for (const name of tenants) {
    const document = documentOf(name, { access: { roleBindings: [{ role: 'owner', groups: [`${name}-admins`] }] } })
    await whole.running.controlPlane.create(document, caller)
  }
  await whole.ready(tenants)
  expect(await unproved()).toBe('')
})
afterAll(async () => {
  await whole?.stop()
})

const prove = (...names: readonly string[]): Promise<Report> => whole.running.controlPlane.prove(names, caller)
const unproved = async (): Promise<string> => {
  const report = await prove()
  return allProved(report) ? '' : account(report) || 'nothing was judged'
}

interface Break {
  readonly title: string
  /** Whose verdicts must name it: what the platform stands on is named to everybody. */
  readonly tenant: Name | 'everybody'
  /** How the verdict names it. */
  readonly names: string
  apply(): Promise<void>
}

/** With the engine held still, each break is named; let go, everything is proved again. Answers how long that took. */
async function brokenAndRepaired(breaks: readonly Break[], repaired?: () => Promise<boolean>): Promise<void> {
  const titles = breaks.map(({ title }) => title).join(', ')
  await whole.running.controlPlane.pause(caller)
  // A pass that had begun before may still end.
  await sleep(200)
  for (const one of breaks) await one.apply()
  const report = await prove()
  expect(allProved(report), titles).toBe(false)
  for (const one of breaks) {
    for (const tenant of one.tenant === 'everybody' ? tenants : [one.tenant]) {
      const named = namedIn(report, tenant)
      expect(
        named.some((text) => text.includes(one.names)),
        `${one.title}: ${one.names} is not in ${JSON.stringify(named)}`,
      ).toBe(true)
    }
  }
  await whole.running.controlPlane.resume(caller)
  let left = ''
  await whole
    .until(
      `${titles} is repaired`,
      async () => (repaired === undefined || (await repaired())) && (left = await unproved()) === '',
      40_000,
    )
    .catch((error: unknown) => {
      throw new Error(`${titles} is not repaired: ${left}\n${whole.log.slice(-10).join('\n')}`, { cause: error })
    })
}

const kubePath = (resource: Pick<Resource, 'kind' | 'externalName'>): string => {
  const kind = drivenKinds[resource.kind.slice('kubernetes/'.length)]
  if (kind === undefined) throw new Error(`no driver for ${resource.kind}`)
  const [first = '', second] = resource.externalName.split('/')
  return second === undefined ? objectPath(kind, undefined, first) : objectPath(kind, first, second)
}

/** What keeps nobody out when it is gone: it lets somebody in, or holds what is kept. Everything else is a fence. */
const noFences = new Set([
  'kubernetes/ServiceAccount',
  'kubernetes/RoleBinding',
  'kubernetes/Role',
  'kubernetes/Workloads',
  'credential/Login',
  'postgres/Role',
  'postgres/Database',
  'postgres/DatabaseGrants',
])

async function fencesOf(owner: Name | 'platform'): Promise<readonly Resource[]> {
  const { layers, context } = whole.running.products
  const tenant = owner === 'platform' ? undefined : await whole.tenant(owner)
  const all = layers.flatMap((layer) =>
    tenant === undefined ? layer.platform(context) : layer.desired(tenant, context),
  )
  return all.filter((resource) => !noFences.has(resource.kind))
}

const removal = (resource: Resource, tenant: Break['tenant']): Break => ({
  title: `${resource.kind} ${resource.externalName} removed`,
  tenant,
  names: `${resource.kind.slice('kubernetes/'.length)} ${resource.externalName}`,
  async apply() {
    const answer = await whole.kube('DELETE', kubePath(resource))
    expect([200, 202], `${resource.externalName}: ${answer.message}`).toContain(answer.status)
  },
})
const isBack = (resource: Resource) => async (): Promise<boolean> => {
  const answer = await whole.kube('GET', kubePath(resource))
  return answer.status === 200 && (answer.body['metadata'] as JsonObject)['deletionTimestamp'] === undefined
}

const change = (
  tenant: Break['tenant'],
  names: string,
  title: string,
  method: 'POST' | 'PATCH',
  path: string,
  body: unknown,
): Break => ({
  title,
  tenant,
  names,
  async apply() {
    const answer = await whole.kube(method, path, body)
    expect([200, 201], `${title}: ${answer.message}`).toContain(answer.status)
  },
})

const rbac = 'rbac.authorization.k8s.io'
const kindOf = (name: string) => drivenKinds[name] ?? expect.fail(`no kind ${name}`)
const everybody = [{ kind: 'Group', apiGroup: rbac, name: 'system:authenticated' }]

describeOn(['kubernetes', 'postgres18'], 'a fence broken by hand is named and repaired', () => {
  it('when any fence of a tenant is removed', { timeout: 240_000 }, async () => {
    const [acme, globex] = [await fencesOf('acme'), await fencesOf('globex')]
    // The pairs of one kind at once; the namespaces, which take all others with them, by themselves.
    const pairs = acme
      .map((fence, at) => [fence, globex[at]] as const)
      .filter(([fence]) => fence.kind !== 'kubernetes/Namespace')
    expect(pairs.length).toBeGreaterThanOrEqual(4)
    for (const [mine, theirs] of pairs) {
      if (theirs === undefined) throw new Error('the tenants differ')
      await brokenAndRepaired(
        [removal(mine, 'acme'), removal(theirs, 'globex')],
        async () => (await isBack(mine)()) && (await isBack(theirs)()),
      )
    }
  })

  it('when any fence of the platform is removed', { timeout: 240_000 }, async () => {
    const fences = (await fencesOf('platform')).filter(
      (fence) => fence.kind.startsWith('kubernetes/') && fence.kind !== 'kubernetes/Namespace',
    )
    expect(fences.length).toBeGreaterThanOrEqual(15)
    for (const fence of fences) await brokenAndRepaired([removal(fence, 'everybody')], isBack(fence))
  })

  it('when a namespace of a tenant is weakened', { timeout: 120_000 }, async () => {
    const { namespace } = (await whole.tenant('acme')).names
    const other = (await whole.tenant('globex')).names.namespace
    const privileged = { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } }
    const hard = { spec: { hard: { pods: '9999' } } }
    const quota =
      (await fencesOf('globex')).find((fence) => fence.kind === 'kubernetes/ResourceQuota') ?? expect.fail('no quota')
    await brokenAndRepaired([
      change(
        'acme',
        `Namespace ${namespace}`,
        'pod security lowered',
        'PATCH',
        objectPath(kindOf('Namespace'), undefined, namespace),
        privileged,
      ),
      change('globex', `ResourceQuota ${other}`, 'quota raised', 'PATCH', kubePath(quota), hard),
    ])
  })

  it('when a network policy lets more in, is narrowed, or gets a companion', { timeout: 120_000 }, async () => {
    const [mine, theirs] = await Promise.all(
      tenants.map(async (name) => (await fencesOf(name)).filter((fence) => fence.kind === 'kubernetes/NetworkPolicy')),
    )
    const [acmeDeny, globexDeny] = [mine?.[0] ?? expect.fail('no policy'), theirs?.[0] ?? expect.fail('no policy')]
    await brokenAndRepaired([
      change('acme', `NetworkPolicy ${acmeDeny.externalName}`, 'ingress from everywhere', 'PATCH', kubePath(acmeDeny), {
        spec: { ingress: [{}] },
      }),
      change('globex', `NetworkPolicy ${globexDeny.externalName}`, 'selector narrowed', 'PATCH', kubePath(globexDeny), {
        spec: { podSelector: { matchLabels: { app: 'web' } } },
      }),
    ])
    const namespaces = await Promise.all(tenants.map(async (name) => (await whole.tenant(name)).names.namespace))
    const [acme = '', globex = ''] = namespaces
    const open = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'let-all', namespace: acme },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] },
    }
    const binding = {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'let-in', namespace: globex },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'view' },
      subjects: everybody,
    }
    await brokenAndRepaired([
      change(
        'acme',
        `NetworkPolicy ${acme}/let-all`,
        'a policy that allows all',
        'POST',
        collectionPath(kindOf('NetworkPolicy'), acme),
        open,
      ),
      change(
        'globex',
        `RoleBinding ${globex}/let-in`,
        'a binding for everybody',
        'POST',
        collectionPath(kindOf('RoleBinding'), globex),
        binding,
      ),
    ])
  })

  it(
    'when rights are widened: a binding of ours, a cluster role, an admission rule',
    { timeout: 120_000 },
    async () => {
      const { namespace } = (await whole.tenant('acme')).names
      await brokenAndRepaired([
        change(
          'acme',
          `RoleBinding ${namespace}/ringfence-viewer`,
          'subjects extended',
          'PATCH',
          objectPath(kindOf('RoleBinding'), namespace, 'ringfence-viewer'),
          { subjects: everybody },
        ),
      ])
      const role = objectPath(kindOf('ClusterRole'), undefined, 'ringfence-viewer')
      await brokenAndRepaired([
        change('everybody', 'ClusterRole ringfence-viewer', 'viewers read secrets', 'PATCH', role, [
          { op: 'add', path: '/rules/-', value: { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] } },
        ]),
      ])
      const platform = await fencesOf('platform')
      const policy =
        platform.find((fence) => fence.kind === 'kubernetes/ValidatingAdmissionPolicy') ?? expect.fail('no policy')
      const bound =
        platform.find((fence) => fence.kind === 'kubernetes/ValidatingAdmissionPolicyBinding') ??
        expect.fail('no binding')
      await brokenAndRepaired([
        change(
          'everybody',
          `ValidatingAdmissionPolicy ${policy.externalName}`,
          'a rule that is always true',
          'PATCH',
          kubePath(policy),
          [{ op: 'replace', path: '/spec/validations/0/expression', value: 'true' }],
        ),
      ])
      await brokenAndRepaired([
        change(
          'everybody',
          `ValidatingAdmissionPolicyBinding ${bound.externalName}`,
          'refusals only audited',
          'PATCH',
          kubePath(bound),
          { spec: { validationActions: ['Audit'] } },
        ),
      ])
    },
  )

  it('and a binding outside every boundary is named, and left to whoever made it', { timeout: 60_000 }, async () => {
    const path = objectPath(kindOf('ClusterRoleBinding'), undefined, 'stranger')
    const made = await whole.kube('POST', collectionPath(kindOf('ClusterRoleBinding')), {
      apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: { name: 'stranger' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'view' }, subjects: [{ kind: 'User', apiGroup: rbac, name: 'stranger' }],
    }) // prettier-ignore
    expect(made.status, made.message).toBe(201)
    const report = await prove()
    for (const tenant of tenants) expect(namedIn(report, tenant).join()).toContain('ClusterRoleBinding stranger')
    await whole.until('the tenants say so', async () => {
      const views = await Promise.all(tenants.map((name) => whole.running.controlPlane.get(name)))
      return views.every((view) =>
        view.status.conditions.some(
          (one) => one.type === 'IsolationBroken' && one.status === 'True' && one.message.includes('stranger'),
        ),
      )
    })
    expect((await whole.kube('GET', path)).status).toBe(200)
    expect((await whole.kube('DELETE', path)).status).toBe(200)
    await whole.ready(tenants)
    expect(await unproved()).toBe('')
  })
})

/** A break in PostgreSQL: in which database, by which statement, and how the verdict names it. */
const statement = (tenant: Break['tenant'], names: string, database: string, text: string): Break => ({
  title: text,
  tenant,
  names,
  apply: async () => void (await whole.sql(database, text)),
})

describeOn(['kubernetes', 'postgres18'], 'a fence in PostgreSQL broken by hand is named and repaired', () => {
  it('when PUBLIC is let into a database, or a login gets the owner’s powers', { timeout: 120_000 }, async () => {
    await brokenAndRepaired([
      statement('acme', 'acme_db', 'postgres', 'grant connect on database acme_db to public'),
      statement('globex', 'globex_owner', 'postgres', 'grant globex_owner to globex_user'),
    ])
    await brokenAndRepaired([statement('acme', 'acme_user', 'postgres', 'alter role acme_user createrole')])
    await brokenAndRepaired([
      statement('acme', 'globex_user', 'postgres', 'grant connect on database acme_db to globex_user'),
    ])
    await brokenAndRepaired([statement('acme', 'acme_user', 'postgres', 'alter role acme_user superuser')])
  })

  it('when PUBLIC is let into what every server has', { timeout: 120_000 }, async () => {
    await brokenAndRepaired([
      statement('everybody', 'postgres', 'postgres', 'grant connect on database postgres to public'),
    ])
    await brokenAndRepaired([
      statement('everybody', 'template1', 'postgres', 'grant connect on database template1 to public'),
    ])
    await brokenAndRepaired([
      statement('everybody', 'ringfence', 'postgres', 'grant connect on database ringfence to public'),
    ])
  })

  it('when what is made later would be PUBLIC’s, or a schema is', { timeout: 120_000 }, async () => {
    await brokenAndRepaired([
      statement(
        'acme',
        'acme_db',
        'acme_db',
        'alter default privileges for role acme_user grant select on tables to public',
      ),
      statement('globex', 'globex_db', 'globex_db', 'grant usage on schema public to public'),
    ])
  })

  it('but a table that a tenant gives to PUBLIC inside is its own affair: nobody else gets there', async () => {
    await whole.sql(
      'acme_db',
      'set role acme_user',
      'create table public.notices (x int)',
      'grant select on public.notices to public',
    )
    expect(await unproved()).toBe('')
    await whole.sql('acme_db', 'drop table public.notices')
  })

  it('although nobody asks for a proof', { timeout: 60_000 }, async () => {
    await whole.ready(tenants)
    const open = `select has_database_privilege('globex_user', 'acme_db', 'connect') or pg_has_role('globex_user', 'globex_owner', 'member') as open`
    await whole.sql('postgres', 'grant connect on database acme_db to globex_user', 'grant globex_owner to globex_user')
    expect((await whole.sql('postgres', open)).rows).toEqual([{ open: true }])
    await whole.until(
      'both are taken back',
      async () => (await whole.sql('postgres', open)).rows[0]?.open === false,
      40_000,
    )
    await whole.ready(tenants)
  })
})

describeOn(['kubernetes', 'postgres18'], 'nothing is proved', () => {
  it('of a tenant that is not there', async () => {
    await expect(prove('nobody')).rejects.toMatchObject({ code: 'NotFound' })
  })

  it('of a tenant whose namespace vanished', { timeout: 120_000 }, async () => {
    const fence =
      (await fencesOf('acme')).find(({ kind }) => kind === 'kubernetes/Namespace') ?? expect.fail('no namespace')
    await brokenAndRepaired([removal(fence, 'acme')], isBack(fence))
  })

  it('while the API server is gone, and the tenants say so', { timeout: 120_000 }, async () => {
    await whole.cluster.stop()
    const report = await prove()
    for (const claim of ['rbac', 'network', 'fences']) {
      const judged = report.verdicts.filter((verdict) => verdict.claim.startsWith(claim))
      expect(judged.length, claim).toBeGreaterThanOrEqual(tenants.length)
      expect(
        judged.every((verdict) => verdict.verdict === 'undecided'),
        account(report),
      ).toBe(true)
    }
    // What could still be asked is still judged: the databases are as they were.
    expect(
      report.verdicts
        .filter((verdict) => verdict.claim.startsWith('grants'))
        .every((verdict) => verdict.verdict === 'proved'),
      account(report),
    ).toBe(true)
    await whole.until('no tenant is Ready', async () => {
      const views = await Promise.all(tenants.map((name) => whole.running.controlPlane.get(name)))
      return views.every(
        (view) =>
          view.status.phase === 'Degraded' &&
          view.status.conditions.some((one) => one.type === 'Verified' && one.status !== 'True'),
      )
    })
  })

  it('while PostgreSQL is gone', { timeout: 120_000 }, async () => {
    await whole.postgres.stop()
    await expect(prove()).rejects.toMatchObject({ code: 'StoreUnavailable' })
  })
})
