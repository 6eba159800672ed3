/** The rules of the authorizer that are easy to get wrong, one by one; the real server is asked in test/real. */
import { describe, expect, test } from 'vitest'
import { type AccessRequest, createAuthorizer, impliedUser } from '../../../../src/prover/rbac/authorizer.ts'
import { readPolicy } from '../../../../src/prover/rbac/policy.ts'
import { account, grant, group, type RuleInput, user } from './worlds.ts'

const pods = { verb: 'get', group: '', resource: 'pods', namespace: 'a' }
const allows = (rule: RuleInput, request: AccessRequest, place = '*') =>
  createAuthorizer(readPolicy(grant('x', place, user('u'), rule), { aggregate: false }))(impliedUser('u'), request)
    .allowed

describe('a rule', () => {
  test.each<[string, RuleInput, AccessRequest, boolean]>([
    [
      'a resource is not its subresource',
      { resources: ['pods'], verbs: ['get'] },
      { ...pods, subresource: 'log' },
      false,
    ],
    ['a subresource is not its resource', { resources: ['pods/log'], verbs: ['get'] }, pods, false],
    ['a star is every subresource too', { resources: ['*'], verbs: ['get'] }, { ...pods, subresource: 'log' }, true],
    [
      'a star before a subresource is any resource',
      { resources: ['*/log'], verbs: ['get'] },
      { ...pods, subresource: 'log' },
      true,
    ],
    ['but no resource', { resources: ['*/log'], verbs: ['get'] }, pods, false],
    [
      'a star after a slash is only text',
      { resources: ['pods/*'], verbs: ['get'] },
      { ...pods, subresource: 'log' },
      false,
    ],
    ['names allow what is named', { resources: ['pods'], verbs: ['*'], names: ['p'] }, { ...pods, name: 'p' }, true],
    [
      'names allow no creating',
      { resources: ['pods'], verbs: ['*'], names: ['p'] },
      { ...pods, verb: 'create' },
      false,
    ],
    ['names allow no listing', { resources: ['pods'], verbs: ['*'], names: ['p'] }, { ...pods, verb: 'list' }, false],
    ['another group', { groups: ['apps'], resources: ['pods'], verbs: ['get'] }, pods, false],
    ['a path with a star at its end', { verbs: ['get'], paths: ['/logs/*'] }, { verb: 'get', path: '/logs/x' }, true],
    ['is not the path before it', { verbs: ['get'], paths: ['/logs/*'] }, { verb: 'get', path: '/logs' }, false],
  ])('%s', (_, rule, request, expected) => {
    expect(allows(rule, request)).toBe(expected)
  })

  test('of a namespace holds in no other, and not for all of them', () => {
    const rule = { resources: ['pods'], verbs: ['get'] }
    const { namespace: _, ...everywhere } = pods
    expect([
      allows(rule, pods, 'a'),
      allows(rule, pods, 'b'),
      allows(rule, everywhere, 'a'),
      allows(rule, everywhere),
    ]).toEqual([true, false, false, true])
  })
})

test.each([
  ['a ServiceAccount', account('h', 's')],
  ['the same, spelt as a user', user('system:serviceaccount:h:s')],
  ['its namespace', group('system:serviceaccounts:h')],
  ['all accounts', group('system:serviceaccounts')],
  ['all who signed in', group('system:authenticated')],
])('an account is reached through %s', (_, subject) => {
  const decide = createAuthorizer(
    readPolicy(grant('x', '*', subject, { resources: ['pods'], verbs: ['get'] }), { aggregate: false }),
  )
  expect(decide(impliedUser('system:serviceaccount:h:s'), pods).allowed).toBe(true)
  expect(decide(impliedUser('system:anonymous'), pods).allowed).toBe(false)
  expect(decide({ name: 'x', groups: ['system:masters'] }, pods)).toEqual({ allowed: true, by: 'system:masters' })
})
