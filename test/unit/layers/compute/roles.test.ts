/** What the roles and the engine may and may not do, whatever the golden file says. */
import { describe, expect, test } from 'vitest'
import { engineRules } from '../../../../src/layers/compute/engine-rules.ts'
import { roleRules, type PolicyRule } from '../../../../src/layers/compute/roles.ts'
import { sharableRules } from '../../../../src/layers/compute/sharable.ts'
import { roles } from '../../../../src/model/tenant.ts'

interface Right {
  readonly group: string
  readonly resource: string
  readonly verb: string
  readonly name: string | undefined
}
const rightsOf = (rules: readonly PolicyRule[]): readonly Right[] =>
  rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) => (resourceNames ?? [undefined]).map((name) => ({ group, resource, verb, name }))),
      ),
    ),
  )
const spelled = ({ group, resource, verb }: Right): string => `${verb} ${group}/${resource}`
const writes = ['create', 'update', 'patch', 'delete', 'deletecollection']

describe.each(roles)('the role %s', (role) => {
  const rights = rightsOf(roleRules[role])
  const all = new Set(rights.map((right) => spelled(right)))

  test('has no wildcard and no verb that leads to more', () => {
    expect(rights.length).toBeGreaterThan(20)
    for (const { group, resource, verb } of rights) {
      expect([group, resource, verb]).not.toContain('*')
      expect(['escalate', 'bind', 'impersonate', 'approve', 'sign', 'use']).not.toContain(verb)
    }
  })

  test('reaches no shell, token, node or other door of a pod', () => {
    const subresources = rights.map((right) => right.resource).filter((resource) => resource.includes('/'))
    const harmless = [
      'pods/log',
      'pods/status',
      'pods/eviction',
      'deployments/scale',
      'replicasets/scale',
      'statefulsets/scale',
    ]
    for (const subresource of subresources) expect(harmless).toContain(subresource)
    expect(rights.filter((right) => right.resource === 'pods/status').map((right) => right.verb)).toEqual([
      'get',
      'list',
      'watch',
    ])
    expect(rights.some((right) => right.resource === 'nodes')).toBe(false)
  })

  test('writes no quota, limit, endpoint, event or namespace', () => {
    for (const resource of ['resourcequotas', 'limitranges', 'endpoints', 'endpointslices', 'namespaces', 'events']) {
      expect(rights.filter((right) => right.resource === resource && writes.includes(right.verb))).toEqual([])
      // The control: it may be looked at, so the name is one that the rules know.
      expect(rights.some((right) => right.resource === resource && right.verb === 'get')).toBe(true)
    }
  })

  test('is held by the role above it', () => {
    const above = roles[roles.indexOf(role) - 1]
    if (above === undefined) return
    const held = new Set(rightsOf(roleRules[above]).map((right) => spelled(right)))
    expect([...all].filter((right) => !held.has(right))).toEqual([])
  })
})

test('viewers read no Secrets; editors do; only owners say who may do what', () => {
  const may = (role: (typeof roles)[number], verb: string, resource: string) =>
    rightsOf(roleRules[role]).some((right) => right.verb === verb && right.resource === resource)
  expect(['get', 'list', 'watch'].some((verb) => may('viewer', verb, 'secrets'))).toBe(false)
  expect(may('editor', 'get', 'secrets')).toBe(true)
  for (const resource of ['roles', 'rolebindings', 'networkpolicies']) {
    expect([
      may('owner', 'create', resource),
      may('editor', 'create', resource),
      may('viewer', 'create', resource),
    ]).toEqual([true, false, false])
  }
})

test('the engine holds all that it hands on, and binds exactly the three roles', () => {
  const rights = rightsOf(engineRules)
  const held = new Set(rights.filter((right) => right.name === undefined).map((right) => spelled(right)))
  const handed = [...roles.flatMap((role) => rightsOf(roleRules[role])), ...rightsOf(sharableRules)]
  expect(handed.filter((right) => !held.has(spelled(right)))).toEqual([])
  expect(rights.filter((right) => right.verb === 'bind')).toEqual(
    roles.map((role) => ({
      group: 'rbac.authorization.k8s.io',
      resource: 'clusterroles',
      verb: 'bind',
      name: `ringfence-${role}`,
    })),
  )
  for (const { group, resource, verb } of rights) {
    expect([group, resource, verb]).not.toContain('*')
    expect(['escalate', 'impersonate', 'approve', 'sign']).not.toContain(verb)
    expect(resource).not.toMatch(
      /^(pods\/(exec|attach|portforward|proxy|ephemeralcontainers)|nodes\/proxy|services\/proxy|serviceaccounts\/token)$/,
    )
  }
})
