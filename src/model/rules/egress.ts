/** Domain names that a tenant may call: real ones only, and only where something can enforce them. */
import type { Problem } from '../errors.ts'
import { excerpt } from '../printable.ts'
import { problemAt } from '../problems.ts'
import type { Admission } from './context.ts'

const at = ['spec', 'network']
const domain = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$/
/** Names that lead to the cluster, the host or the cloud's metadata. */
const inside = /(^|\.)(localhost|local|internal|svc|localdomain|arpa)$|^instance-data(\.|$)/

export function egressProblems(admission: Admission): readonly Problem[] {
  const { network } = admission.document.spec
  const { fqdns } = network.egress
  if (fqdns.length === 0) return []
  const problems = fqdns.flatMap((name, index) => nameProblems(name, index))
  if (network.allowExternalAPIs === true) {
    problems.push(
      problemAt(
        [...at, 'allowExternalAPIs'],
        'opens every external address, and egress.fqdns asks for only some',
        'write false, or remove egress.fqdns',
      ),
    )
  }
  return [...problems, ...capabilityProblems(admission)]
}

function nameProblems(name: string, index: number): Problem[] {
  const path = [...at, 'egress', 'fqdns', index]
  if (!domain.test(name) || name.length > 253) {
    return [
      problemAt(
        path,
        `is "${excerpt(name)}", not a domain name`,
        'write api.example.com, or *.example.com; addresses go to allowTo',
      ),
    ]
  }
  return inside.test(name)
    ? [problemAt(path, `is ${name}, a name inside the cluster or the cloud`, 'name a public domain')]
    : []
}

/** SPEC §2: refused where neither Cilium nor Calico can enforce it. Not yet known is left to the layer, which waits. */
function capabilityProblems({ platform, facts }: Admission): readonly Problem[] {
  const kubernetes = facts?.kubernetes
  const { cni } = platform.kubernetes
  if (
    kubernetes === undefined ||
    kubernetes.fqdn !== undefined ||
    (kubernetes.medium === 'manifests' && cni !== 'auto')
  )
    return []
  const asked =
    cni === 'auto' ? 'neither Cilium nor Calico domain rules were found' : `the kinds of ${cni} were not found`
  const fix =
    'install Cilium, or Calico with domain rules (or name it in kubernetes.cni when rendering); or remove egress.fqdns and name ranges in allowTo'
  return [problemAt([...at, 'egress', 'fqdns'], `asks for domain rules, and ${asked}`, fix)]
}
