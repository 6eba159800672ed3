import { describe, expect, it } from 'vitest'
import { parsePlatform, parseTenant } from '../../../src/model/parse.ts'
import { bounds } from '../../../src/model/plain.ts'
import { problemsFrom, tenantInput } from './documents.ts'

describe('values that are no documents', () => {
  it('may contain themselves', () => {
    const cycle: { [key: string]: unknown } = tenantInput() as { [key: string]: unknown }
    cycle['spec'] = { compute: cycle }
    expect(problemsFrom(() => parseTenant(cycle))).toMatchObject([{ path: '/spec/compute', reason: 'contains itself' }])
  })
  it('may be deep', () => {
    let deep: unknown = 'x'
    for (let level = 0; level < 50_000; level += 1) deep = { compute: deep }
    expect(problemsFrom(() => parseTenant(tenantInput(deep as object)))[0]?.reason).toContain('deeper')
  })
  it('may be large', () => {
    const many = Array.from({ length: bounds.values + 1 }, () => 'x')
    expect(problemsFrom(() => parseTenant(tenantInput({ modules: many })))[0]?.reason).toContain('larger')
    expect(problemsFrom(() => parseTenant(tenantInput({ modules: Array(4_000_000_000) })))[0]?.reason).toContain('hole')
    expect(problemsFrom(() => parseTenant(tenantInput({ description: 'x'.repeat(10_000_000) })))[0]?.reason).toContain(
      '10000000 characters',
    )
  })
  it('may hide code, which is not run', () => {
    let ran = false
    const spec = Object.defineProperty({}, 'tier', {
      enumerable: true,
      get: () => {
        ran = true
        return 'starter'
      },
    })
    expect(problemsFrom(() => parseTenant(tenantInput(spec)))).toMatchObject([
      { path: '/spec/tier', reason: 'is computed' },
    ])
    expect(ran).toBe(false)
    const trap = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('trapped')
        },
      },
    )
    expect(problemsFrom(() => parseTenant(trap))[0]?.reason).toContain('cannot be read')
  })
  it('may try to change what all objects inherit, and do not', () => {
    const spec = JSON.parse(
      '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}, "compute": {"quota": {"__proto__": 1}}}',
    ) as object
    expect(problemsFrom(() => parseTenant(tenantInput(spec))).map((one) => one.path)).toEqual([
      '/spec/__proto__',
      '/spec/compute/quota/__proto__',
    ])
    expect(
      problemsFrom(() => parseTenant(tenantInput({ constructor: { prototype: {} } }))).map((one) => one.path),
    ).toEqual(['/spec/constructor'])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
  it.each([
    undefined,
    null,
    true,
    1,
    'x',
    [],
    () => 1,
    Symbol('x'),
    10n,
    new Date(),
    new Map(),
    /x/,
    new (class Tenant {})(),
  ])('may be anything but an object: %s', (value) => {
    problemsFrom(() => parseTenant(value))
    problemsFrom(() => parsePlatform(value))
  })
})
