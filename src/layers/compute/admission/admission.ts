/**
 * The admission rules as resources: a fixed number of policies for the whole cluster, whatever the number of tenants
 * (two thousand policies, one a tenant, made every create seven times slower). What differs from tenant to tenant is
 * read from its namespace. They cannot guard admission objects themselves: RBAC does, and the prover watches over it.
 */
import type { LayerContext } from '../../../model/layer.ts'
import type { Address, Resource } from '../../../model/resource.ts'
import { kubernetesResource } from '../../manifest.ts'
import { access } from './access.ts'
import { bindingManifest, parameters, policyManifest, type PolicyText } from './cel.ts'
import { fences } from './fences.ts'
import { clusterBindings, namespaces } from './namespaces.ts'
import { ingresses, networkPolicies, services } from './network.ts'
import { pods, storage } from './workloads.ts'

export function admissionPolicies(context: LayerContext): readonly PolicyText[] {
  const cluster = clusterBindings(context)
  return [
    namespaces(context),
    ...(cluster === undefined ? [] : [cluster]),
    fences(),
    access(),
    networkPolicies(),
    services(),
    ingresses(),
    pods(),
    storage(),
  ]
}

export function admissionResources(context: LayerContext, systemNamespace: Address): readonly Resource[] {
  const known = kubernetesResource(
    'platform',
    context,
    { layer: 'compute', kind: 'config-map', key: 'admission', needs: [systemNamespace] },
    parameters(context),
  )
  const pairs = admissionPolicies(context).flatMap((text) => {
    const policy = kubernetesResource(
      'platform',
      context,
      { layer: 'compute', kind: 'admission-policy', key: text.key },
      policyManifest(text, context),
    )
    const needs = [policy.address, known.address]
    const place = { layer: 'compute', kind: 'admission-binding', key: text.key, needs } as const
    return [policy, kubernetesResource('platform', context, place, bindingManifest(text, context))]
  })
  return [known, ...pairs]
}
