/** The joint graph: ways over the edges of several logics, whose verdict they are, and when a verdict is withheld. */
import { describe, expect, test } from 'vitest'
import type { World } from '../../../../src/model/world.ts'
import { type Analysis, type Logic, type LogicEdge, outsider } from '../../../../src/prover/logic.ts'
import { prove } from '../../../../src/prover/prove.ts'

const world: World = {
  source: 'planned',
  observed: ['a', 'b'],
  tenants: ['a', 'b', 'c'].map((name) => ({ name, namespaces: [name], subjects: [], databases: [], shared: [] })),
  unreadable: [],
  trusted: [],
  trustedRoles: [],
}
const edge = (from: string, to: string, rule = `${from}>${to}`): LogicEdge => ({ from, to, rule, by: 'x' })
const logic = (name: Logic['name'], more: Partial<Analysis> = {}): Logic => ({
  name,
  claims: [
    { id: `${name}.contained`, statement: '' },
    { id: `${name}.fenced`, statement: '' },
  ],
  applies: () => true,
  analyse: () => ({
    edges: [],
    starts: new Map(),
    owners: new Map(),
    undecided: [],
    refuted: [],
    checked: new Map(world.tenants.map((tenant) => [tenant.name, 1])),
    assuming: [],
    ...more,
  }),
})
const summary = (logics: readonly Logic[], changed: Partial<World> = {}) =>
  prove({ ...world, ...changed }, { logics }).verdicts.map(
    ({ claim, tenant, verdict }) => `${claim} ${tenant} ${verdict}`,
  )
const refuted = (logics: readonly Logic[]) => summary(logics).filter((line) => line.endsWith(' refuted'))

describe('the joint graph', () => {
  const starts = new Map([
    ['a', ['sa-a']],
    ['b', ['sa-b']],
    [outsider, ['anyone']],
  ])

  test('a way may lead over the edges of two logics, and is the finding of the last', () => {
    const rbac = logic('rbac', { starts, edges: [edge('sa-a', 'secret')] })
    const grants = logic('grants', {
      owners: new Map([['db-b', 'b']]),
      edges: [edge('secret', 'login'), edge('login', 'db-b')],
    })
    const report = prove(world, { logics: [rbac, grants] })
    expect(refuted([rbac, grants])).toEqual(['grants.contained a refuted', 'grants.fenced b refuted'])
    const found = report.verdicts.find((verdict) => verdict.verdict === 'refuted')
    expect(found).toMatchObject({
      counterexample: { path: [{ rule: 'sa-a>secret' }, { rule: 'secret>login' }, { rule: 'login>db-b' }] },
    })
    expect(refuted([rbac])).toEqual([])
  })

  test('the shortest way is told', () => {
    const rbac = logic('rbac', {
      starts,
      owners: new Map([['ns-b', 'b']]),
      edges: [edge('sa-a', 'x'), edge('x', 'ns-b'), edge('sa-a', 'ns-b', 'short')],
    })
    expect(prove(world, { logics: [rbac] }).verdicts[0]).toMatchObject({
      counterexample: { path: [{ rule: 'short' }] },
    })
  })

  test('what a neighbour reaches is the finding of the neighbour', () => {
    const owners = new Map([['sa-b', 'b'], ['ns-c', 'c']]) // prettier-ignore
    const rbac = logic('rbac', { starts, owners, edges: [edge('sa-a', 'sa-b'), edge('sa-b', 'ns-c')] })
    expect(refuted([rbac])).toEqual([
      'rbac.contained a refuted',
      'rbac.contained b refuted',
      'rbac.fenced b refuted',
      'rbac.fenced c refuted',
    ])
    const report = prove(world, { logics: [rbac] })
    expect(report.verdicts.find(({ claim, tenant }) => claim === 'rbac.fenced' && tenant === 'c')).toMatchObject({
      counterexample: { path: [{ from: 'sa-b', to: 'ns-c' }] },
    })
  })

  test('through the platform a way goes on, for every victim, by whoever else is there', () => {
    const owners = new Map([['cluster', 'platform'], ['ns-a', 'a'], ['ns-b', 'b'], ['ns-c', 'c']]) // prettier-ignore
    const everywhere = ['a', 'b', 'c'].map((name) => edge('cluster', `ns-${name}`))
    const byTenant = logic('rbac', { starts, owners, edges: [edge('sa-a', 'cluster'), ...everywhere] })
    expect(refuted([byTenant])).toEqual(['rbac.contained a refuted', 'rbac.fenced b refuted', 'rbac.fenced c refuted'])
    const byAnyone = logic('rbac', { starts, owners, edges: [edge('anyone', 'cluster'), ...everywhere] })
    expect(refuted([byAnyone])).toEqual(['rbac.fenced a refuted', 'rbac.fenced b refuted', 'rbac.fenced c refuted'])
  })

  test('circles end', () => {
    expect(refuted([logic('rbac', { starts, edges: [edge('sa-a', 'x'), edge('x', 'sa-a')] })])).toEqual([])
  })
})

describe('a verdict is withheld', () => {
  test('where nothing was examined', () => {
    const report = prove(world, { logics: [logic('rbac', { checked: new Map([['a', 1]]) })] })
    expect(report.summary).toEqual({ proved: 2, refuted: 0, undecided: 4 })
  })
  test('where a logic could not decide, for the claim and tenant that it names', () => {
    const undecided = [{ claim: 'rbac.fenced', tenant: 'b', because: 'x' }, { claim: 'rbac.contained', because: 'y' }] // prettier-ignore
    expect(summary([logic('rbac', { undecided })]).filter((line) => line.endsWith('undecided'))).toEqual([
      'rbac.contained a undecided',
      'rbac.contained b undecided',
      'rbac.fenced b undecided',
      'rbac.contained c undecided',
    ])
  })
  test('where something could not be read that the claim may stand on', () => {
    const logics = [logic('rbac'), logic('grants')]
    const undecided = (product: string) =>
      summary(logics, { unreadable: [{ product, what: 'w', why: 'y' }] }).filter((line) => line.endsWith('undecided'))
        .length
    expect([undecided('kubernetes'), undecided('postgres'), undecided('file')]).toEqual([6, 6, 12])
    const one = summary(logics, { unreadable: [{ product: 'postgres', what: 'w', why: 'y', tenant: 'a' }] })
    expect(one.filter((line) => line.endsWith('undecided'))).toEqual([
      'grants.contained a undecided',
      'grants.fenced a undecided',
    ])
  })
  test('but a way in is told all the same', () => {
    const refutedLogic = logic('rbac', {
      refuted: [{ claim: 'rbac.fenced', tenant: 'a', edge: edge('x', 'y'), subject: 's', object: 'o' }],
      undecided: [{ claim: 'rbac.fenced', because: 'z' }],
    })
    expect(summary([refutedLogic])).toContain('rbac.fenced a refuted')
  })
})
