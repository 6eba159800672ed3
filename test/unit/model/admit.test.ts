import { describe, expect, it } from 'vitest'
import { admitTenant } from '../../../src/model/admit.ts'
import { resolveNames } from '../../../src/model/names.ts'
import { parseTenant } from '../../../src/model/parse.ts'
import type { Tenant } from '../../../src/model/tenant.ts'
import { check, context, paths, platform } from './admission.ts'
import { platformOf, problemsFrom, tenantInput } from './documents.ts'

describe('a plain document', () => {
  it('is admitted', () => {
    admitTenant(parseTenant(tenantInput()), context)
  })
  it('throws InvalidDocument with all problems when it is not', () => {
    const document = parseTenant(tenantInput({ keys: { mode: 'local' }, database: { mode: 'dedicated' } }, 'shared'))
    expect(problemsFrom(() => admitTenant(document, context))).toHaveLength(3)
  })
})

describe('names', () => {
  it.each(['default', 'system', 'shared', 'platform', 'kube-public', 'ringfence', 'ringfence-x', 'argocd'])(
    'reserves %s',
    (name) => {
      expect(paths({}, {}, name)).toContain('/metadata/name')
    },
  )
  it.each(['kubeflow', 'systems', 'shared-data', 'defaults'])('leaves %s to tenants', (name) => {
    expect(paths({}, {}, name)).toEqual([])
  })
  it.each([
    ['kube-system', "Kubernetes' own"],
    ['default', "Kubernetes' own"],
    ['ringfence-system', "the platform's"],
    ['shared-tools', "the platform's"],
    ['catalog', "the platform's"],
    ['ringfence-globex', 'belongs to tenant globex'],
    ['ringfence-initech', 'keeps for another tenant'],
    ['ci', 'service accounts that tenant globex binds'],
  ])('refuses the namespace %s', (name, reason) => {
    const adopting = check({ compute: { namespace: { name, adopt: true } } })
    expect(adopting.map((one) => one.reason).join()).toContain(reason)
    expect(check({ compute: { namespace: { name } } }).length).toBeGreaterThan(0)
  })
  it('allows an explicit namespace that is nobody else’s, and its own derived name', () => {
    expect(paths({ compute: { namespace: { name: 'acme-prod' } } })).toEqual([])
    expect(paths({ compute: { namespace: { name: 'ringfence-acme' } } })).toEqual([])
  })
  it('adopts only by name', () => {
    expect(paths({ compute: { namespace: { adopt: true } } })).toEqual(['/spec/compute/namespace/adopt'])
    expect(paths({ compute: { namespace: { create: false } } })).toEqual(['/spec/compute/namespace/create'])
    expect(paths({ compute: { namespace: { name: 'legacy', adopt: true, create: false } } })).toEqual([])
  })
  it('keeps a domain to one tenant', () => {
    expect(paths({ domain: 'data.globex.com' })).toEqual(['/spec/domain'])
    expect(paths({ domain: 'data.acme.com' })).toEqual([])
  })
  it('refuses a slug whose namespace does not fit', () => {
    const omnia = platformOf({ preset: 'aifactory' })
    const spec = (slug: string) => ({ slug, database: { mode: 'none' } })
    expect(paths(spec('s'.repeat(63)), { platform: omnia })).toEqual(['/spec/slug'])
    expect(paths(spec('s'.repeat(40)), { platform: omnia })).toEqual([])
  })
})

describe('what never changes', () => {
  const before = parseTenant(
    tenantInput({
      compute: { namespace: { name: 'acme-prod' } },
      access: { roleBindings: [{ role: 'owner', groups: ['acme-admins'] }] },
    }),
  )
  const uid = '0b7e6b9c-9c55-4a5e-9f5e-0a8b1f3f2c11'
  const existing: Tenant = {
    name: 'acme',
    uid,
    generation: 1,
    spec: before.spec,
    labels: {},
    names: resolveNames(platform, { name: 'acme', slug: 'acme', uid, spec: before.spec }),
  }
  const owner = { roleBindings: [{ role: 'owner', groups: ['acme-admins'] }] }
  it.each<[object, string]>([
    [{ compute: { namespace: { name: 'acme-prod2' } } }, '/spec/compute/namespace/name'],
    [{}, '/spec/compute/namespace/name'],
    [{ compute: { namespace: { name: 'acme-prod', adopt: true } } }, '/spec/compute/namespace/adopt'],
    [{ compute: { namespace: { name: 'acme-prod' } }, database: { mode: 'none' } }, '/spec/database/mode'],
  ])('is refused: %j', (spec, path) => {
    expect(paths({ access: owner, ...spec }, { existing })).toEqual([path])
  })
  it('includes the last owner', () => {
    expect(paths({ compute: { namespace: { name: 'acme-prod' } } }, { existing })).toEqual(['/spec/access'])
  })
  it('leaves the slug free, since renaming it renames nothing', () => {
    expect(
      paths({ slug: 'acme-new', compute: { namespace: { name: 'acme-prod' } }, access: owner }, { existing }),
    ).toEqual([])
  })
  it('does not lock out a tenant whose name is reserved later', () => {
    const spec = { compute: { namespace: { name: 'acme-prod' } }, access: owner }
    const stricter = { ...platform, reservedNames: ['acme'] }
    expect(paths(spec, { existing, platform: stricter })).toEqual([])
    expect(paths({}, { platform: stricter })).toEqual(['/metadata/name'])
  })
  it('lets a grant run out in place, and no new one begin ended', () => {
    const spec = (user: string) => ({
      compute: { namespace: { name: 'acme-prod' } },
      access: { ...owner, directGrants: [{ user, role: 'viewer', expires: '2029-01-01T00:00:00Z' }] },
    })
    const granted = { ...existing, spec: parseTenant(tenantInput(spec('a@acme.com'))).spec }
    expect(paths(spec('a@acme.com'), { existing: granted })).toEqual([])
    expect(paths(spec('b@acme.com'), { existing: granted })).toEqual(['/spec/access/directGrants/0/expires'])
  })
})

describe('labels and tags', () => {
  it.each([
    'ringfence.dev/tenant',
    'kubernetes.io/metadata.name',
    'pod-security.kubernetes.io/enforce',
    'app.kubernetes.io/name',
    'topology.k8s.io/x',
  ])('keeps %s off the namespace', (key) => {
    expect(paths({ compute: { namespace: { labels: { [key]: 'x' } } } })).toEqual([
      `/spec/compute/namespace/labels/${key.replace('/', '~1')}`,
    ])
  })
  it('lets a tenant have labels of its own', () => {
    expect(paths({ compute: { namespace: { labels: { 'acme.com/team': 'x', team: 'y' } } } })).toEqual([])
  })
  it('keeps tags to what a label can carry', () => {
    expect(paths({ tags: { 'a/b': 'x', team: 'a b', cost: 'cc-7' } })).toEqual(['/spec/tags/a~1b', '/spec/tags/team'])
  })
})

describe('what is not there yet', () => {
  it.each<[object, string]>([
    [{ storage: { mode: 'bucket' } }, '/spec/storage/mode'],
    [{ lakehouse: { mode: 'iceberg' } }, '/spec/lakehouse/mode'],
    [{ identity: { mode: 'realm' } }, '/spec/identity/mode'],
    [{ secrets: { mode: 'path' } }, '/spec/secrets/mode'],
    [{ keys: { mode: 'transit' } }, '/spec/keys/mode'],
    [{ policy: { mode: 'opa' } }, '/spec/policy/mode'],
    [{ cache: { mode: 'acl' } }, '/spec/cache/mode'],
    [{ search: { mode: 'prefix' } }, '/spec/search/mode'],
    [{ dns: { mode: 'records' } }, '/spec/dns/mode'],
    [{ cloudIdentity: { mode: 'aws' } }, '/spec/cloudIdentity/mode'],
    [{ database: { mode: 'dedicated' } }, '/spec/database/mode'],
    [{ database: { federated: [{ name: 'x', secretName: 'y' }] } }, '/spec/database/federated'],
    [{ isolation: 'shared' }, '/spec/isolation'],
    [{ parent: 'globex' }, '/spec/parent'],
    [{ modules: ['bi'] }, '/spec/modules'],
    [{ compute: { custom: { maxAgentRuntimes: 3 } } }, '/spec/compute/custom/maxAgentRuntimes'],
    [{ network: { egress: { gateway: 'nat' } } }, '/spec/network/egress/gateway'],
    [{ access: { anonymous: { enabled: true } } }, '/spec/access/anonymous/enabled'],
    [{ residency: 'eu' }, '/spec/residency'],
    [{ lifecycle: { legalHold: true } }, '/spec/lifecycle/legalHold'],
  ])('is refused by name: %j', (spec, path) => {
    const problems = check(spec)
    expect(problems.map((one) => one.path)).toEqual([path])
    expect(problems[0]?.reason).toContain('not configured')
  })
  it('is refused where the platform has no database', () => {
    expect(paths({}, { platform: platformOf({ database: { mode: 'none' } }) })).toEqual(['/spec/database/mode'])
    expect(paths({ database: { mode: 'none' } }, { platform: platformOf({ database: { mode: 'none' } }) })).toEqual([])
  })
})

describe('quota', () => {
  it.each<[object, string | undefined]>([
    [
      {
        pods: 10,
        'requests.cpu': '500m',
        'count/jobs.batch': 5,
        'requests.nvidia.com/gpu': 2,
        'gold.storageclass.storage.k8s.io/requests.storage': '5Gi',
      },
      undefined,
    ],
    [{ 'services.nodeports': 0 }, undefined],
    [{ 'services.nodeports': 1 }, '/spec/compute/quota/services.nodeports'],
    [{ 'request.cpu': 1 }, '/spec/compute/quota/request.cpu'],
    [{ pods: '500m' }, '/spec/compute/quota/pods'],
    [{ 'count/../x': 1 }, '/spec/compute/quota/count~1..~1x'],
  ])('%j', (quota, path) => {
    expect(paths({ compute: { quota } })).toEqual(path === undefined ? [] : [path])
  })
})

describe('access', () => {
  const bind = (binding: object) => ({ access: { roleBindings: [{ role: 'editor', ...binding }] } })
  it.each(['acme-admins', 'engineering@acme.com', 'GROUP with spaces'])('binds the group %s', (group) => {
    expect(paths(bind({ groups: [group] }))).toEqual([])
  })
  it.each([
    'system:masters',
    'SYSTEM:authenticated',
    'ｓystem:masters',
    ' system:masters',
    'ringfence:break-glass',
    'emergency',
    'sre-team',
    'globex-admins',
    'Globex-Admins',
  ])('refuses the group %s', (group) => {
    expect(paths(bind({ groups: [group] }))).toEqual(['/spec/access/roleBindings/0/groups/0'])
  })
  it.each([
    ['ringfence-acme', 'worker'],
    ['argocd', 'controller'],
    ['argocd', 'other'],
    ['tools-ci', 'deployer'],
    ['ci', 'other'],
  ])('binds the service account %s/%s', (namespace, name) => {
    expect(paths(bind({ serviceAccounts: [{ namespace, name }] }))).toEqual([])
  })
  it.each([
    ['ringfence-globex', 'worker'],
    ['ringfence-tomorrow', 'worker'],
    ['ringfence-system', 'globex-owner'],
    ['kube-system', 'default'],
    ['default', 'default'],
    ['ci', 'deployer'],
  ])('refuses the service account %s/%s', (namespace, name) => {
    expect(paths(bind({ serviceAccounts: [{ namespace, name }] }))).toEqual([
      '/spec/access/roleBindings/0/serviceAccounts/0',
    ])
  })
  it('refuses a binding of nobody', () => {
    expect(paths(bind({}))).toEqual(['/spec/access/roleBindings/0'])
  })
  it('takes direct grants that end later, and refuses those of the past and of others', () => {
    const grant = (user: string, expires?: string) => ({
      access: { directGrants: [{ user, role: 'viewer', ...(expires === undefined ? {} : { expires }) }] },
    })
    expect(paths(grant('a@acme.com', '2030-06-02T00:00:00Z'))).toEqual([])
    expect(paths(grant('a@acme.com'))).toEqual([])
    expect(paths(grant('a@acme.com', '2030-05-31T23:59:59Z'))).toEqual(['/spec/access/directGrants/0/expires'])
    expect(paths(grant('a@acme.com', '2030-06-01T01:00:00+02:00'))).toEqual(['/spec/access/directGrants/0/expires'])
    expect(paths(grant('HANK@globex.com'))).toEqual(['/spec/access/directGrants/0/user'])
    expect(paths(grant('system:admin'))).toEqual(['/spec/access/directGrants/0/user'])
    expect(paths(grant('a@acme.com'), { platform: platformOf({ guards: { forbidDirectGrants: true } }) })).toEqual([
      '/spec/access/directGrants/0',
    ])
  })
  it('shares objects of shared namespaces only, and no Secret', () => {
    const share = (object: object) => ({
      access: { shared: [{ kind: 'ConfigMap', namespace: 'shared-tools', name: 'x', ...object }] },
    })
    expect(paths(share({}))).toEqual([])
    expect(paths(share({ kind: 'Secret' }))).toEqual(['/spec/access/shared/0/kind'])
    expect(paths(share({ namespace: 'ringfence-globex' }))).toEqual(['/spec/access/shared/0/namespace'])
    expect(paths(share({ kind: 'pods/exec' }))).toEqual(['/spec/access/shared/0/kind'])
  })
})
