/** Each escalation edge: with the permission the tenant is not contained, by that very rule; without it, it is. */
import { describe, expect, test } from 'vitest'
import { escalations, type EscalationRow } from '../../../../src/prover/rbac/escalation.ts'
import { account, grant, judge, namespace, verdictOn, wayIn, worldOf, type RuleInput } from './worlds.ts'

const permission = (row: EscalationRow): RuleInput => ({
  groups: row.groups,
  resources: row.resources,
  verbs: row.verbs,
})
const ours = account('acme', 'app')
const home = (row: EscalationRow) => row.onlyIn ?? 'globex'

describe('each escalation edge', () => {
  const clusterWide = escalations.filter((row) => row.scope === 'cluster')
  test.each(clusterWide)('$rule, held for the whole cluster, is a way out', (row) => {
    const report = judge(worldOf(grant('hole', '*', ours, permission(row))))
    expect(wayIn(report, 'rbac.contained', 'acme')).toEqual([row.rule])
    expect(verdictOn(report, 'rbac.contained', 'globex').verdict).toBe('proved')
  })

  test.each(clusterWide)('$rule, held in a namespace alone, is no way out', (row) => {
    const report = judge(worldOf(grant('hole', 'acme', ours, permission(row))))
    // Roles exist in namespaces too: binding and escalating them is another row.
    expect(wayIn(report, 'rbac.contained', 'acme')).toBe('proved')
  })

  const namespaced = escalations.filter((row) => row.scope === 'namespaced')
  test.each(namespaced)("$rule ($groups) in another tenant's namespace is a way in", (row) => {
    const report = judge(worldOf(grant('hole', home(row), ours, permission(row))))
    expect(wayIn(report, 'rbac.contained', 'acme')).toEqual([row.rule])
    if (row.onlyIn === undefined) expect(wayIn(report, 'rbac.fenced', 'globex')).toEqual([row.rule])
  })

  test.each(namespaced)('$rule ($groups) for the whole cluster is a way out', (row) => {
    const report = judge(worldOf(grant('hole', '*', ours, permission(row))))
    expect(wayIn(report, 'rbac.contained', 'acme')).toEqual([row.rule])
    expect(wayIn(report, 'rbac.fenced', 'globex')).toEqual(expect.arrayContaining([row.rule]))
  })

  test.each(namespaced)('$rule ($groups) at home leads out only where the table says so', (row) => {
    const report = judge(worldOf(grant('hole', 'acme', ours, permission(row))))
    const staysHome = row.leadsTo === 'accounts' || row.leadsTo === 'namespace' || row.onlyIn !== undefined
    expect(wayIn(report, 'rbac.contained', 'acme')).toEqual(
      staysHome ? 'proved' : row.leadsTo === 'administration' ? [row.rule, 'namespaces.modify'] : [row.rule],
    )
  })

  test('without any grant everything is proved', () => {
    expect(judge(worldOf([])).summary).toEqual({ proved: 4, refuted: 0, undecided: 0 })
  })

  test('into the platform, accounts lead on to what they may do', () => {
    const controller = grant('controller', '*', account('ops', 'controller'), {
      groups: ['*'],
      resources: ['*'],
      verbs: ['*'],
    })
    const hole = grant(
      'hole',
      'ops',
      { kind: 'Group', name: 'system:authenticated' },
      { resources: ['serviceaccounts/token'], verbs: ['create'], names: ['controller'] },
    )
    const report = judge(
      worldOf([namespace('ops', { 'pod-security.kubernetes.io/enforce': 'baseline' }), ...controller, ...hole], {
        trusted: [{ kind: 'ServiceAccount', namespace: 'ops', name: 'controller' }],
      }),
    )
    expect(wayIn(report, 'rbac.fenced', 'acme')).toEqual(['serviceaccounts.token', 'everything', 'every-namespace'])
    const harmless = judge(
      worldOf([namespace('ops'), ...controller], {
        trusted: [{ kind: 'ServiceAccount', namespace: 'ops', name: 'controller' }],
      }),
    )
    expect(wayIn(harmless, 'rbac.fenced', 'acme')).toBe('proved')
  })
})
