/** What a tenant may ask of its namespace: how it comes to be, its quota, and what its workloads may use. */
import type { Problem } from '../errors.ts'
import { problemAt } from '../problems.ts'
import { isKubernetesNamespace } from './context.ts'
import type { Admission } from './context.ts'
import { quotaProblems } from './quota.ts'

export function computeProblems({ document }: Admission): readonly Problem[] {
  const { compute } = document.spec
  return [
    ...adoptProblems(compute.namespace),
    ...quotaProblems(compute.quota, ['spec', 'compute', 'quota']),
    ...registryProblems(compute.allowed.imageRegistries),
    ...hostProblems(compute.allowed.ingressHosts),
    ...nodeSelectorProblems(compute.allowed.nodeSelector),
  ]
}

interface NamespaceSpec {
  readonly name?: string | undefined
  readonly create: boolean
  readonly adopt: boolean
}

function adoptProblems({ name, create, adopt }: NamespaceSpec): readonly Problem[] {
  const path = ['spec', 'compute', 'namespace']
  if (!create && !adopt) {
    return [
      problemAt(
        [...path, 'create'],
        'is false, so nothing would make the namespace',
        'write adopt: true and the name of the namespace to take over',
      ),
    ]
  }
  if (!adopt) return []
  if (name === undefined)
    return [problemAt([...path, 'adopt'], 'does not say which namespace', 'give compute.namespace.name')]
  if (isKubernetesNamespace(name))
    return [
      problemAt([...path, 'adopt'], `would take over ${name}, which is Kubernetes' own`, 'choose another namespace'),
    ]
  return []
}

/** `host[:port][/path]`, the form that image references begin with. */
const registry = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?(\/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*\/?$/

const registryProblems = (registries: readonly string[]): readonly Problem[] =>
  registries.flatMap((text, index) =>
    registry.test(text)
      ? []
      : [
          problemAt(
            ['spec', 'compute', 'allowed', 'imageRegistries', index],
            'is not an image registry',
            'write host[:port][/path], such as registry.example.com/team',
          ),
        ],
  )

const host = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

const hostProblems = (hosts: readonly string[]): readonly Problem[] =>
  hosts.flatMap((text, index) =>
    host.test(text)
      ? []
      : [
          problemAt(
            ['spec', 'compute', 'allowed', 'ingressHosts', index],
            'is not a host name',
            'write a.example.com or *.example.com',
          ),
        ],
  )

/** Selecting control-plane nodes would put tenant pods beside the API server. */
const nodeSelectorProblems = (selector: { readonly [key: string]: string }): readonly Problem[] =>
  Object.keys(selector)
    .filter((key) => /^node-role\.kubernetes\.io\/(control-plane|master)$/.test(key))
    .map((key) =>
      problemAt(
        ['spec', 'compute', 'allowed', 'nodeSelector', key],
        'selects control-plane nodes',
        'select worker nodes',
      ),
    )
