/** Ways around what a tenant may run and keep. */
import type { JsonObject } from '../../../src/model/json.ts'
import { change, make, ns, type Attack, type Made } from './attack.ts'

export const pods = 'ringfence-pods'
const secure = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
}
const container = (rest: JsonObject = {}): JsonObject => ({
  name: 'c',
  image: 'registry.example/acme/app:1',
  imagePullPolicy: 'Always',
  securityContext: secure,
  ...rest,
})
export const pod = (spec: JsonObject = {}): Made => [
  'v1',
  'Pod',
  { spec: { containers: [container()], runtimeClassName: 'gvisor', nodeSelector: { pool: 'acme' }, ...spec } },
]

export const podAttacks: readonly Attack[] = [
  make(
    pods,
    'always pulled',
    'use an image that the node has of others',
    pod({ containers: [container({ imagePullPolicy: 'IfNotPresent' })] }),
  ),
  make(
    pods,
    'always pulled',
    'use such an image to start with',
    pod({ initContainers: [container({ name: 'i', imagePullPolicy: 'Never' })] }),
  ),
  make(
    pods,
    'always pulled',
    'mount such an image',
    pod({ volumes: [{ name: 'v', image: { reference: 'registry.example/acme/data:1', pullPolicy: 'IfNotPresent' } }] }),
  ),
  make(
    pods,
    'registries of the tenant document',
    'use an image from elsewhere',
    pod({ containers: [container({ image: 'docker.io/library/nginx:1' })] }),
  ),
  make(
    pods,
    'registries of the tenant document',
    'use an image from a registry that begins like theirs',
    pod({ containers: [container({ image: 'registry.example.evil/app:1' })] }),
  ),
  make(
    pods,
    'registries of the tenant document',
    'use an image of no registry',
    pod({ containers: [container({ image: 'nginx:1' })] }),
  ),
  make(pods, 'that priority class', 'come before the system', pod({ priorityClassName: 'system-cluster-critical' })),
  make(pods, 'that priority class', 'come before other tenants', pod({ priorityClassName: 'high' })),
  make(
    pods,
    'must use its runtime class',
    'leave the sandbox',
    pod({ runtimeClassName: undefined as unknown as null }),
  ),
  make(pods, 'must use its runtime class', 'use another sandbox', pod({ runtimeClassName: 'plain' })),
  make(pods, 'must select the nodes', 'run on the nodes of others', pod({ nodeSelector: { pool: 'globex' } })),
  make(pods, 'placed by the scheduler', 'choose a node by name', pod({ nodeName: 'control-plane' })),
  {
    ...change(pods, 'registries of the tenant document', 'change the image afterwards', ['v1', 'Pod', 'own'], {}),
    body: [{ op: 'replace', path: '/spec/containers/0/image', value: 'docker.io/library/nginx:1' }],
  },
  {
    ...change(
      pods,
      'registries of the tenant document',
      'add a container for debugging from elsewhere',
      ['v1', 'Pod', 'own'],
      {
        spec: { ephemeralContainers: [container({ name: 'debug', image: 'docker.io/library/busybox:1' })] },
      },
    ),
    path: `${ns}/pods/own/ephemeralcontainers?dryRun=All`,
  },
]

export const claim = (spec: JsonObject): Made => [
  'v1',
  'PersistentVolumeClaim',
  {
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 'fast',
      ...spec,
    },
  },
]
export const storageAttacks: readonly Attack[] = [
  make(
    'ringfence-storage',
    'only use the storage classes',
    'use another storage class',
    claim({ storageClassName: 'shared-disk' }),
  ),
  make('ringfence-storage', 'not pick an existing volume', 'pick a volume by name', claim({ volumeName: 'of-globex' })),
  make(
    'ringfence-storage',
    'not pick an existing volume',
    'pick a volume by label',
    claim({ selector: { matchLabels: { of: 'globex' } } }),
  ),
]
