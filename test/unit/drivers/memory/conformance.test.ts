/** The memory backend is held to the contract, with its injected faults standing for the transport. */
import { randomBytes, createHash } from 'node:crypto'
import { createMemoryBackend, type MemoryBackend } from '../../../../src/drivers/memory/backend.ts'
import type { Material } from '../../../../src/model/driver.ts'
import { RingfenceError } from '../../../../src/model/errors.ts'
import { addressOf, type Resource } from '../../../../src/model/resource.ts'
import { driverConformance, type ConformanceEnvironment } from '../../../conformance/driver.ts'

interface Environment extends ConformanceEnvironment {
  readonly backend: MemoryBackend
}

let names = 0
const kind = 'memory/Thing'
const thing = (): Resource => {
  const name = `thing-${++names}`
  return {
    kind,
    address: addressOf('acme', 'compute', 'thing', name),
    backend: 'memory',
    externalName: name,
    owner: { name: 'acme', uid: 'u' },
    spec: { size: 1, rules: ['a'], fixed: 'x' },
    secrets: [{ name: 'password', role: 'source' }],
    needs: [],
    onRemove: 'delete',
  }
}
const material = (): { password: Material } => {
  const clear = randomBytes(16).toString('hex')
  return { password: { clear, sourceFingerprint: createHash('sha256').update(clear).digest('hex') } }
}

async function setup(): Promise<Environment> {
  const backend = createMemoryBackend('memory', { kinds: { [kind]: { replaced: ['/fixed'] } } })
  const faulty = createMemoryBackend('memory', { kinds: [kind], world: backend.world })
  const powerless = createMemoryBackend('memory', { kinds: [kind], world: backend.world })
  powerless.faults.add({ when: 'before', what: new RingfenceError('Forbidden', 'not yours') })
  const lost = new RingfenceError('Unreachable', 'connection reset')
  return {
    backend,
    powerless,
    broken: {
      backend: faulty,
      set(mode) {
        faulty.faults.clear()
        if (mode === 'refuse') faulty.faults.add({ when: 'before', what: lost })
        if (mode === 'blackhole') faulty.faults.add({ when: 'before', what: 'hang' })
        if (mode === 'lose-answer') {
          faulty.faults.add({ when: 'after', verb: 'create', what: 'lose' })
          faulty.faults.add({ when: 'after', what: lost })
        }
      },
    },
    close: async () => undefined,
  }
}

driverConformance('the memory backend', {
  setup,
  hasTransport: true,
  hasPowerless: true,
  cases: [
    {
      title: 'a thing',
      fresh: async () => thing(),
      changed: (resource) => ({ ...resource, spec: { ...resource.spec, size: 2 } }),
      disturbances: [
        {
          title: 'a changed value',
          path: '/size',
          disturb: async ({ backend }, { externalName, spec }) =>
            void backend.world.change(kind, externalName, { spec: { ...spec, size: 9 } }),
        },
        {
          title: 'an addition',
          path: '/rules',
          disturb: async ({ backend }, { externalName, spec }) =>
            void backend.world.change(kind, externalName, { spec: { ...spec, rules: ['a', 'b'] } }),
        },
        {
          title: 'a fixed field',
          path: '/fixed',
          how: 'replace',
          disturb: async ({ backend }, { externalName, spec }) =>
            void backend.world.change(kind, externalName, { spec: { ...spec, fixed: 'y' } }),
        },
      ],
      stranger: async ({ backend }, { externalName }) =>
        void backend.world.put(kind, externalName, { spec: { size: 7 }, credentials: {} }),
      destroy: async ({ backend }, { externalName }) => backend.world.delete(kind, externalName),
      raw: async ({ backend }, { externalName }) => {
        const object = backend.world.get(kind, externalName)
        return object && JSON.stringify(object)
      },
      material,
    },
  ],
})
