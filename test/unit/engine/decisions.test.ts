import { describe, expect, it } from 'vitest'
import { removableAdditions } from '../../../src/engine/additions.ts'
import { contradicted } from '../../../src/engine/contradictions.ts'
import { standing, type Findings } from '../../../src/engine/conditions.ts'
import { nextPassMs, resyncMs } from '../../../src/engine/retry.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { backendId, addressOf } from '../../../src/model/resource.ts'
import type { Culprit, Verdict } from '../../../src/model/verdict.ts'

const proved: Verdict = { claim: 'c', tenant: 'acme', verdict: 'proved', checked: 1, assuming: [], observed: ['', ''] }
const refutedBy = (...culprits: readonly Culprit[]): Verdict => ({
  claim: 'network.fenced',
  tenant: 'acme',
  verdict: 'refuted',
  counterexample: { subject: 'anyone', path: [], object: 'pods of acme', command: 'true', culprits },
})
const undecided: Verdict = { claim: 'c', tenant: 'acme', verdict: 'undecided', because: ['pods could not be listed'] }
const found = (more: Partial<Findings> = {}): Findings => ({
  layers: ['compute', 'database'],
  problems: new Map(),
  blocked: [],
  results: [],
  verdicts: [proved],
  rendered: false,
  removing: false,
  ...more,
})
const before = { phase: 'Ready' as const, conditions: [] }
const judge = (more: Partial<Findings> = {}) =>
  standing(before, found(more), '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z')
const condition = (result: ReturnType<typeof judge>, type: string) => result.conditions.find((one) => one.type === type)

describe('a tenant is Ready', () => {
  it('when every layer is in place and every claim is proved', () => {
    expect(judge().phase).toBe('Ready')
  })
  it.each([
    ['a claim is refuted', { verdicts: [proved, refutedBy()] }],
    ['a claim is undecided', { verdicts: [proved, undecided] }],
    ['no claim was judged', { verdicts: [] }],
    ['nothing was ever proved', { verdicts: undefined }],
    ['a layer has no backend', { problems: new Map([['database', new RingfenceError('NotConfigured', 'no server')]]) }],
    [
      'a resource is blocked',
      {
        blocked: [
          { address: addressOf('acme', 'database', 'role', 'x'), code: 'NameConflict' as const, message: 'foreign' },
        ],
      },
    ],
    ['the pass itself failed', { fault: new RingfenceError('StoreUnavailable', 'gone') }],
  ])('but not when %s', (_what, more) => {
    const result = judge(more)
    expect(result.phase).toBe('Degraded')
    expect(condition(result, 'Ready')).toMatchObject({ status: 'False' })
  })
  it('while a first backend is on its way it is being provisioned; a tenant that stood is Degraded', () => {
    const waits = {
      problems: new Map([['database', new RingfenceError('Waiting', 'is being built')]]),
      verdicts: [undecided],
    }
    expect(
      standing({ phase: 'Pending', conditions: [] }, found(waits), '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z')
        .phase,
    ).toBe('Provisioning')
    expect(judge(waits).phase).toBe('Degraded')
    expect(
      standing(
        { phase: 'Pending', conditions: [] },
        found({ verdicts: [undecided] }),
        '2026-01-01T00:00:00Z',
        '2026-01-01T00:01:00Z',
      ).phase,
    ).toBe('Degraded')
  })
  it('but not while something of a layer that it has no more will not go', () => {
    const address = addressOf('acme', 'database', 'role', 'x')
    const result = judge({ layers: ['compute'], blocked: [{ address, code: 'Unreachable', message: 'no answer' }] })
    expect(result.phase).toBe('Degraded')
    expect(condition(result, 'Database')).toMatchObject({ status: 'False', reason: 'Unreachable' })
    expect(condition(judge({ layers: ['compute'] }), 'Database')).toBeUndefined()
  })
  it('and where manifests are only written it is Rendered, never Ready', () => {
    const result = judge({ rendered: true })
    expect(result.phase).toBe('Rendered')
    expect(condition(result, 'Ready')).toMatchObject({ status: 'False', reason: 'Rendered' })
  })
})

describe('additions that break isolation', () => {
  const policy: Culprit = {
    product: 'kubernetes',
    kind: 'NetworkPolicy',
    namespace: 'ns',
    name: 'allow-all',
    uid: 'u1',
  }
  const row = (id: string, adopted: boolean) => ({
    address: addressOf('acme', 'compute', 'namespace', 'main'),
    id: backendId(id),
    resource: { externalName: 'ns' } as never,
    outputs: {},
    adopted,
  })
  it('are removed inside the tenant’s own boundary, when the platform says so', () => {
    expect(removableAdditions([refutedBy(policy)], ['ns'], [], 'remove')).toEqual([policy])
    expect(removableAdditions([refutedBy(policy)], ['ns'], [], 'report')).toEqual([])
  })
  it.each([
    ['outside the boundary', policy, ['other'], []],
    [
      'of the cluster',
      { ...policy, kind: 'ClusterRoleBinding', namespace: undefined } as unknown as Culprit,
      ['ns'],
      [],
    ],
    ['that are workloads or data', { ...policy, kind: 'Pod' }, ['ns'], []],
    ['that we made', policy, ['ns'], [row('u1', false)]],
    ['in an adopted namespace', policy, ['ns'], [row('u9', true)]],
    ['whose id is not known', { ...policy, uid: undefined } as unknown as Culprit, ['ns'], []],
  ])('are left when they are objects %s', (_what, culprit, namespaces, rows) => {
    expect(removableAdditions([refutedBy(culprit)], namespaces, rows, 'remove')).toEqual([])
  })
})

describe('the next pass', () => {
  it('is the resync when nothing is wrong', () => {
    expect(nextPassMs([], 0, 0.5)).toBe(resyncMs)
  })
  it('comes later after every failed attempt, with jitter, and never after the resync', () => {
    const waits = [0, 1, 2, 3, 4].map((attempts) => nextPassMs([{ code: 'BackendFault' }], attempts, 0.5))
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000])
    expect(nextPassMs([{ code: 'BackendFault' }], 50, 0.99)).toBeLessThan(resyncMs)
    expect(nextPassMs([{ code: 'BackendFault' }], 3, 0)).toBeLessThan(nextPassMs([{ code: 'BackendFault' }], 3, 0.9))
  })
  it('is never sooner than a backend asked', () => {
    expect(nextPassMs([{ code: 'RateLimited', retryAfterMs: 60_000 }], 0, 0.5)).toBe(60_000)
    expect(nextPassMs([{ code: 'RateLimited', retryAfterMs: 60_000 }, { code: 'Waiting' }], 0, 0.5)).toBe(60_000)
  })
})

describe('a proof of everybody calls for a pass over', () => {
  const row = (verified: boolean, isBroken: boolean) => ({
    name: 'acme',
    conditions: [
      {
        type: 'Verified',
        status: verified ? ('True' as const) : ('False' as const),
        reason: 'r',
        message: 'm',
        lastTransitionTime: 't',
      },
      {
        type: 'IsolationBroken',
        status: isBroken ? ('True' as const) : ('False' as const),
        reason: 'r',
        message: 'm',
        lastTransitionTime: 't',
      },
    ],
  })
  const undecidedIn = (claim: string): Verdict => ({
    claim,
    tenant: 'acme',
    verdict: 'undecided',
    because: ['Forbidden'],
  })
  it.each<[string, Verdict, boolean, boolean, number]>([
    ['a tenant that is refuted and called whole', refutedBy(), true, false, 1],
    ['no tenant that is known to be broken', refutedBy(), false, true, 0],
    ['a tenant that is called broken and is not', proved, false, true, 1],
    ['a tenant that is called verified and can no longer be judged', undecidedIn('rbac.fenced'), true, false, 1],
    ['no tenant whose databases alone were not looked into', undecidedIn('grants.fenced'), true, false, 0],
    ['no tenant that is as it is said to be', proved, true, false, 0],
  ])('%s', (_what, verdict, verified, isBroken, passes) => {
    expect(contradicted([verdict], [row(verified, isBroken)])).toHaveLength(passes)
  })
})
