import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allTenants, createTenantService, type TenantService } from '../../../src/engine/tenant-service.ts'
import { toRingfenceError } from '../../../src/model/errors.ts'
import { caller, documentOf, openEngine, type TestEngine } from '../../support/engine.ts'

/** Two replicas over one store: what one process does in turn says nothing about two. */
let engine: TestEngine
let replicas: readonly [TenantService, TenantService]
beforeEach(async () => {
  engine = await openEngine()
  replicas = [createTenantService(engine.store, engine.products), createTenantService(engine.store, engine.products)]
})
afterEach(() => engine.close())

/** What came of each: `done`, or the code that it was refused with. */
const both = async (act: (service: TenantService, index: number) => Promise<unknown>) => {
  const settled = await Promise.allSettled(replicas.map(act))
  return settled.map((one) => (one.status === 'fulfilled' ? 'done' : toRingfenceError(one.reason).code)).toSorted()
}
const bound = (name: string) =>
  documentOf(name, { access: { roleBindings: [{ role: 'owner', groups: ['oidc:everyone-here'] }] } })

describe('two who act at the same moment', () => {
  it('and create the same tenant: one makes it, the other is told that it is there', async () => {
    for (let round = 0; round < 5; round++) {
      const name = `same-${round}`
      const made = await Promise.all(replicas.map((service) => service.create(documentOf(name), caller)))
      expect(made.map(({ created }) => String(created)).toSorted()).toEqual(['false', 'true'])
      expect(new Set(made.map(({ row }) => row.uid)).size).toBe(1)
    }
  })
  it('and create tenants of one name with other content: the second is refused, in words', async () => {
    for (let round = 0; round < 5; round++) {
      const name = `other-${round}`
      expect(
        await both((service, index) => service.create(documentOf(name, { description: `by ${index}` }), caller)),
      ).toEqual(['AlreadyExists', 'done'])
    }
  })
  it('and bind one group to two tenants: only one may', async () => {
    for (let round = 0; round < 5; round++) {
      const group = (index: number) => {
        const document = bound(`team-${round}-${index}`)
        return {
          ...document,
          spec: {
            ...document.spec,
            access: {
              ...document.spec.access,
              roleBindings: [{ ...document.spec.access.roleBindings[0], groups: [`oidc:team-${round}`] }],
            },
          },
        }
      }
      expect(await both((service, index) => service.create(group(index), caller))).toEqual(['InvalidDocument', 'done'])
    }
  })
  it('and remove more than the platform allows at a time: the guard holds', async () => {
    await engine.service.create(documentOf('one'), caller)
    await engine.service.create(documentOf('two'), caller)
    expect(
      await both((service, index) => service.remove(index === 0 ? 'one' : 'two', index === 0 ? 'one' : 'two', caller)),
    ).toEqual(['Guarded', 'done'])
    expect((await allTenants(engine.store)).filter((row) => row.deletingAt !== null)).toHaveLength(1)
  })
})
