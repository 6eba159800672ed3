import { describe, expect, it } from 'vitest'
import { parsePlatform, parseTenant } from '../../../src/model/parse.ts'
import { platformInput, problemsFrom, tenantInput } from './documents.ts'

const only = (input: unknown) => {
  const problems = problemsFrom(() => parseTenant(input))
  expect(problems).toHaveLength(1)
  return problems[0]
}

describe('a tenant document', () => {
  it('gets its defaults and is frozen all through', () => {
    const document = parseTenant(tenantInput())
    expect(document.spec.network.isolate).toBe(true)
    expect(document.spec.compute.podSecurity).toBe('restricted')
    expect(Object.isFrozen(document.spec.compute.namespace)).toBe(true)
  })

  it('is accepted again as the server gave it back', () => {
    const document = parseTenant(tenantInput())
    const metadata = {
      ...document.metadata,
      uid: 'u',
      generation: 3,
      resourceVersion: '7',
      creationTimestamp: '2030-01-01T00:00:00Z',
    }
    expect(parseTenant({ ...document, metadata, status: { phase: 'Ready' } })).toEqual(document)
  })

  it('is refused with every problem at once, each with path, reason and fix', () => {
    const problems = problemsFrom(() =>
      parseTenant(tenantInput({ tier: 'gold', colour: 'red', database: { connectionLimit: 0 } }, 'A')),
    )
    expect(problems.map((one) => one.path)).toEqual([
      '/metadata/name',
      '/spec/colour',
      '/spec/database/connectionLimit',
      '/spec/tier',
    ])
    for (const problem of problems) expect([problem.reason, problem.fix].every((text) => text.length > 5)).toBe(true)
  })

  it.each([
    [{ displayname: 'x' }, '/spec/displayname', 'did you mean "displayName"?'],
    [{ compute: { qouta: {} } }, '/spec/compute/qouta', 'did you mean "quota"?'],
    [{ quota: {} }, '/spec/quota', 'it belongs at /spec/compute/quota'],
    [
      { network: { allowTo: [{ peers: [{ podSelectr: {} }] }] } },
      '/spec/network/allowTo/0/peers/0/podSelectr',
      'did you mean "podSelector"?',
    ],
    [{ zzz: 1 }, '/spec/zzz', 'remove it; known here: displayName'],
  ])('names the field that was meant: %j', (spec, path, fix) => {
    const problem = only(tenantInput(spec))
    expect(problem?.path).toBe(path)
    expect(problem?.fix).toContain(fix)
  })

  it.each([
    [{ tier: 'profesional' }, '/spec/tier', 'did you mean "professional"?'],
    [{ environment: 'prod' }, '/spec/environment', '"production"'],
    [{ storage: { mode: 'buckets' } }, '/spec/storage/mode', 'did you mean "bucket"?'],
    [{ network: { isolate: false } }, '/spec/network/isolate', 'write "true"'],
  ])('names the value that was meant: %j', (spec, path, fix) => {
    const problem = only(tenantInput(spec))
    expect(problem?.path).toBe(path)
    expect(problem?.fix).toContain(fix)
  })

  it.each([
    [{ modules: 'all' }, '/spec/modules', 'not a list'],
    [{ compute: null }, '/spec/compute', 'not an object'],
    [{ compute: { quota: { pods: true } } }, '/spec/compute/quota/pods', 'not a Kubernetes quantity'],
    [
      { access: { directGrants: [{ user: 'a', role: 'owner', expires: 'tomorrow' }] } },
      '/spec/access/directGrants/0/expires',
      'not a point in time',
    ],
    [{ network: { allowTo: [{ peers: [] }] } }, '/spec/network/allowTo/0/peers', 'everywhere'],
    [
      { network: { allowTo: [{ peers: [{ ipBlock: { cidr: 3 } }] }] } },
      '/spec/network/allowTo/0/peers/0/ipBlock/cidr',
      'is 3, not a text',
    ],
    [{ tags: { __proto__x: 1 } }, '/spec/tags/__proto__x', 'not a text'],
  ])('says what is wrong with a value: %j', (spec, path, reason) => {
    const problem = only(tenantInput(spec))
    expect(problem?.path).toBe(path)
    expect(problem?.reason).toContain(reason)
  })

  it('speaks of mixed forms where a peer is neither one nor the other', () => {
    const from = (peer: object) => only(tenantInput({ network: { allowTo: [{ peers: [peer] }] } }))
    const at = '/spec/network/allowTo/0/peers/0'
    const mixed = from({ namespaceSelector: { matchLabels: null }, podSelector: {} })
    expect(mixed?.path).toBe(`${at}/namespaceSelector`)
    expect(mixed?.reason).toContain('does not fit')
    const single = from({ namespaceSelector: { matchLabels: null } })
    expect(single?.path).toBe(`${at}/namespaceSelector/matchLabels`)
    expect(single?.fix).toContain('leave the field out')
  })

  it('escapes slashes and tildes of keys in its paths', () => {
    expect(only(tenantInput({ compute: { namespace: { labels: { 'a/b~c': 'x' } } } }))?.path).toBe(
      '/spec/compute/namespace/labels/a~1b~0c',
    )
  })

  it('lists fifty problems and counts the others', () => {
    const spec = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`unknown${index}`, 1]))
    const problems = problemsFrom(() => parseTenant(tenantInput(spec)))
    expect(problems).toHaveLength(51)
    expect(problems.at(-1)?.reason).toBe('has 150 more problems')
  })
})

describe('a platform document', () => {
  it('keeps the quota entries that it does not name', () => {
    const { quota } = parsePlatform(platformInput({ defaults: { quota: { pods: 7 } } })).spec.defaults
    expect(quota).toMatchObject({ pods: '7', 'services.nodeports': '0', persistentvolumeclaims: '20' })
  })

  it('wins over the preset that it names, field by field', () => {
    const { names, kubernetes } = parsePlatform(
      platformInput({
        preset: 'omnia',
        names: { namespace: 'ws-<name>' },
        kubernetes: { sharedNamespaces: ['tools'] },
      }),
    ).spec
    expect(names).toMatchObject({ namespace: 'ws-<name>', networkPolicy: 'workspace-<name>-isolation' })
    expect(kubernetes.sharedNamespaces).toEqual(['tools'])
  })

  it.each([
    [{ preset: 'calaby' }, '/spec/preset'],
    [{ names: { namespace: 'same-for-all' } }, '/spec/names/namespace'],
    [{ names: { namespace: 'x-<tenant>' } }, '/spec/names/namespace'],
    [{ names: { namespace: 'x-<name' } }, '/spec/names/namespace'],
    [{ names: { database: '<name>";drop' } }, '/spec/names/database'],
    [{ names: { databaseOwner: '<name>', databaseLogin: '<name>' } }, '/spec/names/databaseLogin'],
    [{ names: { namespace: `${'x'.repeat(62)}-<name>` } }, '/spec/names/namespace'],
    [{ kubernetes: { ranges: ['10.0.0.1/8'] } }, '/spec/kubernetes/ranges/0'],
    [{ kubernetes: { resolvers: ['1.2.3/8'] } }, '/spec/kubernetes/resolvers/0'],
    [{ kubernetes: { sharedNamespaces: ['kube-system'] } }, '/spec/kubernetes/sharedNamespaces/0'],
    [{ kubernetes: { systemNamespace: 'default' } }, '/spec/kubernetes/systemNamespace'],
    [{ defaults: { quota: { 'services.nodeports': 1 } } }, '/spec/defaults/quota/services.nodeports'],
    [{ isolation: { enabled: false } }, '/spec/isolation/enabled'],
  ])('is refused at the right place: %j', (spec, path) => {
    expect(problemsFrom(() => parsePlatform(platformInput(spec))).map((one) => one.path)).toEqual([path])
  })
})
