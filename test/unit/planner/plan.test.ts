import { describe, expect, it } from 'vitest'
import type { Drift, Observation } from '../../../src/model/driver.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { jsonEqual, type JsonObject } from '../../../src/model/json.ts'
import { type Address, addressOf, backendId, output, type Resource } from '../../../src/model/resource.ts'
import { plan } from '../../../src/planner/plan.ts'
import type { InventoryRow, PlanInput, Step } from '../../../src/planner/step.ts'

const at = (key: string): Address => addressOf('acme', 'test', 'thing', key)
const thing = (key: string, more: Partial<Resource> = {}): Resource => ({
  kind: 'memory/Thing',
  address: at(key),
  backend: 'memory',
  externalName: key,
  owner: { name: 'acme', uid: 'u1' },
  spec: { value: 1 },
  secrets: [],
  needs: [],
  onRemove: 'delete',
  ...more,
})
const owned = (id: string, state: JsonObject = { value: 1 }, more: object = {}): Observation => ({
  status: 'owned',
  id: backendId(id),
  state,
  outputs: {},
  ready: true,
  ...more,
})
const absent: Observation = { status: 'absent' }
const unreadable: Observation = { status: 'unreadable', cause: new RingfenceError('Forbidden', 'may not read') }
const row = (resource: Resource, id: string, more: Partial<InventoryRow> = {}): InventoryRow => ({
  address: resource.address,
  id: backendId(id),
  resource,
  outputs: {},
  adopted: false,
  ...more,
})
const diff = (resource: Resource, state: JsonObject): readonly Drift[] =>
  jsonEqual(resource.spec, state)
    ? []
    : [
        {
          path: '/value',
          from: state['value'],
          to: resource.spec['value'],
          how: state['fixed'] === true ? 'replace' : 'update',
        },
      ]

const input = (
  desired: readonly Resource[],
  observed: readonly (readonly [string, Observation])[],
  more: Partial<PlanInput> = {},
): PlanInput => ({
  owner: { name: 'acme', uid: 'u1' },
  desired,
  inventory: new Map(),
  observed: new Map(observed.map(([key, seen]) => [at(key), seen])),
  credentials: [],
  removing: false,
  diff,
  ...more,
})
const inventory = (...rows: readonly InventoryRow[]) => new Map(rows.map((one) => [one.address, one]))
const verbs = (steps: readonly Step[]) => steps.map((step) => `${step.verb} ${step.address.split('/').at(-1)}`)

describe('what is decided for one desired resource', () => {
  it('creates what is absent, keeps what is right, updates what differs', () => {
    const drawn = plan(
      input(
        [thing('a'), thing('b'), thing('c')],
        [
          ['a', absent],
          ['b', owned('1')],
          ['c', owned('2', { value: 2 })],
        ],
      ),
    )
    expect(verbs(drawn.steps)).toEqual(['create a', 'none b', 'update c'])
    expect(drawn.blocked).toEqual([])
  })
  it('calls an object that was made and is gone lost, so that its repair is recorded', () => {
    const a = thing('a')
    const drawn = plan(input([a], [['a', absent]], { inventory: inventory(row(a, '1')) }))
    expect(drawn.steps[0]).toMatchObject({ verb: 'create', why: 'lost' })
  })
  it('tells drift by somebody else from a change of the document', () => {
    const a = thing('a')
    const drifted = plan(input([a], [['a', owned('1', { value: 9 })]], { inventory: inventory(row(a, '1')) }))
    expect(drifted.steps[0]).toMatchObject({ verb: 'update', why: 'drift' })
    const changed = plan(
      input([thing('a', { spec: { value: 2 } })], [['a', owned('1')]], { inventory: inventory(row(a, '1')) }),
    )
    expect(changed.steps[0]).toMatchObject({ verb: 'update', why: 'spec' })
  })
  it('never touches a foreign object, unless the document adopts it', () => {
    const foreign: Observation = { status: 'foreign', id: backendId('x'), state: {} }
    const refused = plan(input([thing('a')], [['a', foreign]]))
    expect(refused.steps).toEqual([])
    expect(refused.blocked).toMatchObject([{ code: 'NameConflict' }])
    const adopted = plan(input([thing('a', { adopt: true })], [['a', foreign]]))
    expect(verbs(adopted.steps)).toEqual(['adopt a'])
  })
  it.each<[string, Observation | undefined, string]>([
    ['unreadable', unreadable, 'Forbidden'],
    ['not observed at all', undefined, 'Unreadable'],
    ['being deleted', { status: 'deleting', id: backendId('1'), heldBy: ['kubernetes'] }, 'Waiting'],
  ])('makes no step for what is %s', (_what, seen, code) => {
    const drawn = plan(input([thing('a')], seen === undefined ? [] : [['a', seen]]))
    expect(drawn.steps).toEqual([])
    expect(drawn.blocked).toMatchObject([{ code }])
  })
  it('replaces what cannot be changed in place, and says that it is destructive', () => {
    const drawn = plan(input([thing('a')], [['a', owned('1', { value: 2, fixed: true })]]))
    expect(drawn.steps[0]).toMatchObject({ verb: 'replace', destructive: true })
  })
})

describe('the order of building', () => {
  const fence = thing('fence')
  const body = thing('body', { needs: [at('fence')] })
  it('puts fences first, whatever order they are stated in', () => {
    const drawn = plan(
      input(
        [body, fence],
        [
          ['fence', absent],
          ['body', absent],
        ],
      ),
    )
    expect(verbs(drawn.steps)).toEqual(['create fence', 'create body'])
    expect(drawn.steps[1]?.after).toEqual([at('fence')])
  })
  it('does not build on ground that cannot be read, but keeps what stands there', () => {
    const third = thing('third', { needs: [at('fence')], spec: { value: 3 } })
    const drawn = plan(
      input(
        [fence, body, third],
        [
          ['fence', unreadable],
          ['body', absent],
          ['third', owned('3', { value: 1 })],
        ],
      ),
    )
    expect(verbs(drawn.steps)).toEqual(['update third'])
    expect(drawn.blocked.map((block) => [block.address, block.code])).toEqual([
      [at('fence'), 'Forbidden'],
      [at('body'), 'Waiting'],
    ])
  })
  it('lets an output that is not there yet delay only what uses it', () => {
    const user = thing('user', { spec: { value: output(at('fence'), 'host') } })
    const drawn = plan(
      input(
        [fence, user, thing('other')],
        [
          ['fence', absent],
          ['user', absent],
          ['other', absent],
        ],
      ),
    )
    expect(drawn.steps.find((step) => step.address === at('user'))?.after).toEqual([at('fence')])
    expect(drawn.steps.find((step) => step.address === at('other'))?.after).toEqual([])
    const kept = plan(
      input(
        [fence, user],
        [
          ['fence', unreadable],
          ['user', owned('1')],
        ],
      ),
    )
    expect(kept.blocked.map((block) => block.address)).toContain(at('user'))
    expect(kept.steps.filter((step) => step.verb !== 'none')).toEqual([])
  })
  it('refuses needs that run in a circle', () => {
    const a = thing('a', { needs: [at('b')] })
    const b = thing('b', { needs: [at('a')] })
    expect(() =>
      plan(
        input(
          [a, b],
          [
            ['a', absent],
            ['b', absent],
          ],
        ),
      ),
    ).toThrow(expect.objectContaining({ code: 'Internal' }))
  })
})

describe('what is dropped', () => {
  const keep = thing('keep')
  const old = thing('old')
  it('prunes what the document no longer asks for, after all changes', () => {
    const drawn = plan(
      input(
        [keep],
        [
          ['keep', absent],
          ['old', owned('1')],
        ],
        { inventory: inventory(row(old, '1')) },
      ),
    )
    expect(verbs(drawn.steps)).toEqual(['create keep', 'delete old'])
    expect(drawn.steps[1]).toMatchObject({ destructive: true, after: [at('keep')], why: 'dropped' })
  })
  it('prunes nothing while a part cannot be read', () => {
    const drawn = plan(
      input(
        [keep],
        [
          ['keep', unreadable],
          ['old', owned('1')],
        ],
        { inventory: inventory(row(old, '1')) },
      ),
    )
    expect(drawn.steps).toEqual([])
    expect(drawn.blocked.map((block) => block.address)).toEqual([at('keep'), at('old')])
  })
  it('forgets a row whose object is gone or another’s, and touches neither', () => {
    const drawn = plan(
      input(
        [keep],
        [
          ['keep', owned('1')],
          ['old', absent],
          ['lost', { status: 'foreign', id: backendId('9'), state: {} }],
        ],
        {
          inventory: inventory(row(old, '2'), row(thing('lost'), '3')),
        },
      ),
    )
    expect(drawn.forget).toEqual([at('old'), at('lost')])
    expect(drawn.steps.filter((step) => step.verb !== 'none')).toEqual([])
  })
  it('refuses to prune everything because nothing is desired', () => {
    expect(() => plan(input([], [['old', owned('1')]], { inventory: inventory(row(old, '1')) }))).toThrow(
      expect.objectContaining({ code: 'Guarded' }),
    )
  })
})

describe('the order of removal', () => {
  const space = thing('space')
  const fence = thing('fence', { needs: [at('space')], within: at('space') })
  const work = thing('work', { needs: [at('fence')], within: at('space') })
  const login = thing('login', { needs: [at('fence')] })
  const all = inventory(row(space, '1'), row(fence, '2'), row(work, '3'), row(login, '4'))
  const present = [
    ['space', owned('1')],
    ['fence', owned('2')],
    ['work', owned('3')],
    ['login', owned('4')],
  ] as const
  it('removes what stands on a fence first; the fence goes with its container at the very end', () => {
    const drawn = plan(input([], present, { inventory: all, removing: true }))
    expect(verbs(drawn.steps).toSorted()).toEqual(['delete login', 'delete space', 'delete work'])
    const last = drawn.steps.find((step) => step.address === at('space'))
    expect(last?.after.toSorted()).toEqual([at('login'), at('work')])
  })
  it('keeps the container while something in front of it cannot be read', () => {
    const drawn = plan(
      input([], [present[0], present[1], ['work', unreadable], present[3]], { inventory: all, removing: true }),
    )
    expect(verbs(drawn.steps)).toEqual(['delete login'])
    expect(drawn.blocked.map((block) => block.address).toSorted()).toEqual([at('space'), at('work')])
  })
  it('leaves what is retained, and releases what was adopted', () => {
    const data = thing('data', { onRemove: 'retain' })
    const drawn = plan(
      input(
        [],
        [
          ['data', owned('1')],
          ['space', owned('2')],
        ],
        { inventory: inventory(row(data, '1'), row(space, '2', { adopted: true })), removing: true },
      ),
    )
    expect(verbs(drawn.steps)).toEqual(['release space'])
    expect(drawn.retained.map((one) => one.address)).toEqual([at('data')])
  })
})

describe('credentials', () => {
  const source = thing('source', { secrets: [{ name: 'password', role: 'source' }] })
  const login = thing('login', {
    needs: [at('source')],
    secrets: [{ name: 'password', role: 'verifier', source: at('source') }],
  })
  const settled = {
    source: at('source'),
    slot: 'password',
    version: 3,
    state: 'settled' as const,
    sourceFingerprint: 's3',
    verifiers: { [at('login')]: 'v3' },
  }
  const holding = (id: string, fingerprint: string | undefined) =>
    owned(id, { value: 1 }, { credentials: { password: fingerprint } })
  const rotated = (steps: readonly Step[]) =>
    steps.filter((step) => step.rotations.length > 0).map((step) => step.address)

  it('are left alone while both ends hold what is remembered', () => {
    const drawn = plan(
      input(
        [source, login],
        [
          ['source', holding('1', 's3')],
          ['login', holding('2', 'v3')],
        ],
        { credentials: [settled] },
      ),
    )
    expect(rotated(drawn.steps)).toEqual([])
  })
  it.each([
    ['were never made', [], holding('1', 's3'), holding('2', 'v3')],
    ['were not confirmed', [{ ...settled, state: 'pending' as const }], holding('1', 's3'), holding('2', 'v3')],
    ['differ at the source', [settled], holding('1', 'other'), holding('2', 'v3')],
    ['differ at the verifier', [settled], holding('1', 's3'), holding('2', 'changed by its owner')],
    ['lost their source', [settled], absent, holding('2', 'v3')],
    ['lost their verifier', [settled], holding('1', 's3'), absent],
  ])('are made anew at both ends, the source first, when they %s', (_what, rows, atSource, atLogin) => {
    const drawn = plan(
      input(
        [login, source],
        [
          ['source', atSource],
          ['login', atLogin],
        ],
        { credentials: rows },
      ),
    )
    expect(rotated(drawn.steps)).toEqual([at('source'), at('login')])
    expect(drawn.steps[1]?.after).toEqual([at('source')])
  })
  it.each([
    ['is another’s', { status: 'foreign', id: backendId('x'), state: {} } as const],
    ['is on its way out', { status: 'deleting', id: backendId('2'), heldBy: [] } as const],
  ])('are not replaced at the source pass after pass while the other end %s', (_what, atLogin) => {
    const pending = { ...settled, state: 'pending' as const, verifiers: {} }
    const drawn = plan(
      input(
        [source, login],
        [
          ['source', holding('1', 's3')],
          ['login', atLogin],
        ],
        { credentials: [pending] },
      ),
    )
    expect(rotated(drawn.steps)).toEqual([])
    expect(drawn.blocked.map((block) => block.address)).toEqual([at('login')])
    // Once the name is free, both ends get a new one.
    const after = plan(
      input(
        [source, login],
        [
          ['source', holding('1', 's3')],
          ['login', absent],
        ],
        { credentials: [pending] },
      ),
    )
    expect(rotated(after.steps)).toEqual([at('source'), at('login')])
  })
  it('that nobody has to be told of are settled by their source alone', () => {
    const row = { ...settled, state: 'pending' as const, verifiers: {} }
    const drawn = (kept: string) => plan(input([source], [['source', holding('1', kept)]], { credentials: [row] }))
    expect(rotated(drawn('s3').steps)).toEqual([])
    expect(rotated(drawn('other').steps)).toEqual([at('source')])
  })
  it('are not rotated while one end cannot be read', () => {
    const drawn = plan(
      input(
        [source, login],
        [
          ['source', unreadable],
          ['login', holding('2', 'other')],
        ],
        { credentials: [settled] },
      ),
    )
    expect(rotated(drawn.steps)).toEqual([])
  })
})
