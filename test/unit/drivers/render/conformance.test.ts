/** The folder of manifests is held to the contract, and to what only a folder can do wrong. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { createRenderBackend } from '../../../../src/drivers/render/backend.ts'
import type { Driver } from '../../../../src/model/driver.ts'
import type { JsonObject } from '../../../../src/model/json.ts'
import { addressOf, type Resource } from '../../../../src/model/resource.ts'
import {
  call,
  driverConformance,
  expectOwned,
  refusal,
  type ConformanceEnvironment,
} from '../../../conformance/driver.ts'

interface Environment extends ConformanceEnvironment {
  readonly folder: string
}
let names = 0
const policy = (
  name = `policy-${++names}`,
  spec: JsonObject = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
): Resource => ({
  kind: 'kubernetes/NetworkPolicy',
  address: addressOf('acme', 'network', 'network-policy', name),
  backend: 'kubernetes',
  externalName: `acme/${name}`,
  owner: { name: 'acme', uid: 'u' },
  spec: {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'acme', labels: { 'ringfence.dev/tenant': 'acme' } },
    spec,
  },
  secrets: [],
  needs: [],
  onRemove: 'delete',
})
const namespaceOf = (name: string): Resource => ({
  ...policy(name),
  kind: 'kubernetes/Namespace',
  externalName: name,
  spec: { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'ringfence.dev/tenant': name } } },
})
const fileOf = (folder: string, { externalName }: Resource) =>
  join(folder, 'acme', `NetworkPolicy_${externalName.replace('/', '_')}.yaml`)
const change =
  (edit: (manifest: { spec: JsonObject; metadata: JsonObject }) => object) =>
  async ({ folder }: Environment, resource: Resource) => {
    const manifest = parse(await readFile(fileOf(folder, resource), 'utf8')) as {
      spec: JsonObject
      metadata: JsonObject
    }
    await writeFile(fileOf(folder, resource), stringify({ ...manifest, ...edit(manifest) }))
  }

driverConformance<Environment>('the folder of manifests', {
  hasTransport: false,
  hasPowerless: false,
  async setup() {
    const folder = await mkdtemp(join(tmpdir(), 'ringfence-manifests-'))
    return {
      folder,
      backend: createRenderBackend('kubernetes', { folder }),
      close: () => rm(folder, { recursive: true, force: true }),
    }
  },
  cases: [
    {
      title: 'NetworkPolicy',
      fresh: async () => policy(),
      changed: (resource) => ({
        ...resource,
        spec: { ...resource.spec, spec: { podSelector: {}, policyTypes: ['Ingress'] } },
      }),
      disturbances: [
        {
          title: 'ingress opened',
          path: '/spec/ingress',
          disturb: change(({ spec }) => ({ spec: { ...spec, ingress: [{}] } })),
        },
        {
          title: 'a label taken off',
          path: '/metadata/labels',
          disturb: change(({ metadata }) => ({ metadata: { ...metadata, labels: {} } })),
        },
        { title: 'a field added', path: '/extra', disturb: change(() => ({ extra: true })) },
      ],
      stranger: async ({ folder }, resource) => {
        await mkdir(dirname(fileOf(folder, resource)), { recursive: true })
        await writeFile(
          fileOf(folder, resource),
          stringify({ ...resource.spec, spec: { podSelector: {}, ingress: [{}] } }),
        )
      },
      destroy: async ({ folder }, resource) => rm(fileOf(folder, resource)),
      raw: async ({ folder }, resource) => readFile(fileOf(folder, resource), 'utf8').catch(() => undefined),
    },
  ],
})

describe('a folder of manifests', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ringfence-manifests-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const driver = (kind: string): Driver => createRenderBackend('kubernetes', { folder }).drivers[kind] as Driver
  const create = async (resource: Resource) => expectOwned(await driver(resource.kind).create(resource, call()))
  const snapshot = () =>
    createRenderBackend('kubernetes', { folder }).snapshot(new AbortController().signal, { fresh: true })

  it('puts the platform apart from tenants', async () => {
    const role: Resource = {
      ...policy(),
      kind: 'kubernetes/ClusterRole',
      externalName: 'ringfence:owner',
      owner: 'platform',
      spec: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'ringfence:owner' },
        rules: [],
      },
    }
    await create(role)
    expect(await readdir(join(folder, '_platform'))).toEqual(['ClusterRole_ringfence%3Aowner.yaml'])
  })

  it('never renders a Secret', async () => {
    const secret: Resource = {
      ...policy(),
      spec: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'x', namespace: 'acme' },
        data: { a: 'aHVudGVyMg==' },
      },
    }
    expect((await refusal(driver('kubernetes/NetworkPolicy').create(secret, call()))).code).toBe('Guarded')
    expect(await readdir(folder)).toEqual([])
  })

  it('does not leave the folder, whatever a name or a link says', async () => {
    await create({ ...policy(), externalName: '../../escape/../../x' })
    expect(await readdir(join(folder, 'acme'))).toEqual(['NetworkPolicy_.._.._escape_.._.._x.yaml'])
    const evil = { ...policy(), owner: { name: '../evil', uid: 'u' } }
    expect((await refusal(driver(evil.kind).create(evil, call()))).code).toBe('Internal')
    const outside = await mkdtemp(join(tmpdir(), 'ringfence-outside-'))
    await symlink(outside, join(folder, 'globex'))
    const linked = { ...policy(), owner: { name: 'globex', uid: 'u' } }
    expect((await refusal(driver(linked.kind).create(linked, call()))).code).toBe('Guarded')
    expect(await readdir(outside)).toEqual([])
    await rm(outside, { recursive: true })
  })

  it('takes a copy under another name for another object', async () => {
    const [one, other] = [policy('one'), policy('other')]
    const made = await create(one)
    await writeFile(fileOf(folder, other), await readFile(fileOf(folder, one), 'utf8'))
    expect((await driver(other.kind).observe(other, call({ knownId: made.id }))).status).toBe('foreign')
  })

  it('leaves no half-written file behind', async () => {
    const resource = policy()
    const made = await create(resource)
    await driver(resource.kind).update(resource, made, [], call())
    await refusal(driver(resource.kind).create(resource, call()))
    expect(await readdir(join(folder, 'acme'))).toHaveLength(1)
  })

  it('removes with a namespace what it rendered into it, and nothing of others', async () => {
    const namespace = namespaceOf('acme')
    const made = await create(namespace)
    await create(policy('one'))
    await create({
      ...policy('two'),
      owner: { name: 'acme', uid: 'u' },
      externalName: 'elsewhere/two',
      spec: { ...policy('two').spec, metadata: { name: 'two', namespace: 'elsewhere' } },
    })
    await writeFile(join(folder, 'acme', 'theirs.yaml'), stringify(policy('theirs').spec))
    await driver(namespace.kind).remove(namespace, made, call())
    expect((await readdir(join(folder, 'acme'))).toSorted()).toEqual([
      'NetworkPolicy_elsewhere_two.yaml',
      'theirs.yaml',
    ])
  })

  it('is read back whole for the prover, and names each file that cannot be read', async () => {
    await create(policy('one'))
    await writeFile(
      join(folder, 'acme', 'added.yaml'),
      `${stringify(policy('added').spec)}---\n${stringify(policy('second').spec)}`,
    )
    await writeFile(join(folder, 'acme', 'broken.yaml'), 'kind: [')
    await writeFile(join(folder, 'acme', 'other.yaml'), 'hello: world')
    const { objects, unreadable, kinds } = await snapshot()
    expect(objects.map((object) => object.metadata.name).toSorted()).toEqual(['added', 'one', 'second'])
    expect(unreadable.map(({ what, tenant }) => `${what} ${tenant}`).toSorted()).toEqual([
      'acme/broken.yaml acme',
      'acme/other.yaml acme',
    ])
    expect(kinds).toContain('networking.k8s.io/NetworkPolicy')
  })

  it('removes an addition by its id alone, and answers it whole', async () => {
    await create(policy('ours'))
    await writeFile(join(folder, 'acme', 'added.yaml'), stringify(policy('added').spec))
    const backend = createRenderBackend('kubernetes', { folder })
    const uid = (await snapshot()).objects.find((object) => object.metadata.name === 'added')?.metadata.uid as string
    const culprit = { product: 'kubernetes', kind: 'NetworkPolicy', namespace: 'acme', name: 'added' } as const
    expect(
      (await refusal(backend.removeAddition({ ...culprit, uid: 'another' }, new AbortController().signal))).code,
    ).toBe('NotFound')
    expect((await backend.removeAddition({ ...culprit, uid }, new AbortController().signal))['kind']).toBe(
      'NetworkPolicy',
    )
    expect(await readdir(join(folder, 'acme'))).toEqual(['NetworkPolicy_acme_ours.yaml'])
  })

  it('tells of changes by people and not of its own', async () => {
    const backend = createRenderBackend('kubernetes', { folder })
    const stop = new AbortController()
    const seen: unknown[] = []
    const listening = (async () => {
      for await (const change of backend.changes?.(stop.signal) ?? []) seen.push(change)
    })()
    await expect.poll(() => seen).toEqual(['resync'])
    await backend.drivers['kubernetes/NetworkPolicy']?.create(policy('quiet'), call())
    await writeFile(join(folder, 'acme', 'NetworkPolicy_acme_loud.yaml'), 'x: 1')
    await expect.poll(() => seen).toContainEqual({ kind: 'kubernetes/NetworkPolicy', externalName: 'acme/loud' })
    expect(JSON.stringify(seen)).not.toContain('quiet')
    stop.abort()
    await listening
  })

  it('has workloads for as long as their namespace is there and they were not told to go', async () => {
    const workloads: Resource = {
      ...policy(),
      kind: 'kubernetes/Workloads',
      externalName: 'acme',
      spec: { namespace: 'acme' },
    }
    const backend = createRenderBackend('kubernetes', { folder })
    const works = backend.drivers['kubernetes/Workloads'] as Driver
    expect((await refusal(works.create(workloads, call()))).code).toBe('Waiting')
    await create(namespaceOf('acme'))
    const made = expectOwned(await works.create(workloads, call()))
    expect((await works.observe(workloads, call({ knownId: made.id }))).status).toBe('owned')
    await works.remove(workloads, made, call())
    expect((await works.observe(workloads, call({ knownId: made.id }))).status).toBe('absent')
  })
})
