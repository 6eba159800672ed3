import { describe, expect, it } from 'vitest'
import { prove } from '../../../../src/prover/prove.ts'
import { fencesLogic } from '../../../../src/prover/fences/logic.ts'
import type { FenceState, World } from '../../../../src/model/world.ts'

const boundary = (name: string) => ({ name, namespaces: [name], subjects: [], databases: [], shared: [] })
const world = (fences: readonly FenceState[]): World => ({
  source: 'live',
  observed: ['2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z'],
  tenants: [boundary('acme'), boundary('globex')],
  unreadable: [],
  trusted: [],
  trustedRoles: [],
  fences,
})
const policy: FenceState = { kind: 'kubernetes/ValidatingAdmissionPolicy', name: 'ringfence-pods', status: 'stands' }
const quotaOf = (tenant: string): FenceState => ({
  tenant,
  kind: 'kubernetes/ResourceQuota',
  name: `${tenant}/ringfence`,
  status: 'stands',
})
const judge = (fences: readonly FenceState[]) => prove(world(fences), { logics: [fencesLogic] }).verdicts

describe('fences', () => {
  it('that all stand are proved for every tenant', () => {
    expect(judge([policy, quotaOf('acme'), quotaOf('globex')]).map((one) => one.verdict)).toEqual(['proved', 'proved'])
  })
  it.each([
    ['missing', 'fence.missing'],
    ['differs', 'fence.changed'],
  ] as const)('of the platform, %s, refute every tenant and are named', (status, rule) => {
    const verdicts = judge([{ ...policy, status, detail: '/spec/validations' }, quotaOf('acme'), quotaOf('globex')])
    expect(verdicts.map((one) => one.verdict)).toEqual(['refuted', 'refuted'])
    expect(verdicts[0]).toMatchObject({
      counterexample: {
        path: [{ rule, by: expect.stringContaining('ValidatingAdmissionPolicy ringfence-pods') }],
        command: 'kubectl get validatingadmissionpolicy ringfence-pods -o yaml',
      },
    })
  })
  it('of one tenant refute that tenant alone', () => {
    const verdicts = judge([policy, { ...quotaOf('acme'), status: 'missing' }, quotaOf('globex')])
    expect(verdicts.map((one) => [one.tenant, one.verdict])).toEqual([
      ['acme', 'refuted'],
      ['globex', 'proved'],
    ])
  })
  it('that could not be read, or were not looked at, prove nothing', () => {
    const unread = judge([policy, { ...quotaOf('acme'), status: 'unreadable', detail: 'forbidden' }, quotaOf('globex')])
    expect(unread[0]).toMatchObject({ verdict: 'undecided', because: ['ResourceQuota acme/ringfence: forbidden'] })
    expect(judge([policy, quotaOf('globex')])[0]?.verdict).toBe('undecided')
    expect(judge([]).map((one) => one.verdict)).toEqual(['undecided', 'undecided'])
  })
  it('are judged only where the platform’s statement is known', () => {
    const { fences: _, ...files } = world([])
    expect(fencesLogic.applies(files)).toBe(false)
  })
})
