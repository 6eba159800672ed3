/** The namespace of a tenant: pod security, marks and admission parameters. */
import type { LayerContext } from '../../model/layer.ts'
import type { Resource } from '../../model/resource.ts'
import type { Tenant } from '../../model/tenant.ts'
import { addresses, kubernetesResource, namespaceLabels, tagAnnotations, type Labels } from '../manifest.ts'
import { admissionParameters } from './parameters.ts'

/** All six labels, so that none is left for others to set; warnings always speak of the strictest profile. */
export const podSecurityLabels = (profile: Tenant['spec']['compute']['podSecurity']): Labels => ({
  'pod-security.kubernetes.io/enforce': profile,
  'pod-security.kubernetes.io/enforce-version': 'latest',
  'pod-security.kubernetes.io/audit': 'restricted',
  'pod-security.kubernetes.io/audit-version': 'latest',
  'pod-security.kubernetes.io/warn': 'restricted',
  'pod-security.kubernetes.io/warn-version': 'latest',
})

/** Namespaces that no document may take: Kubernetes', ours and those that tenants share. */
export function isPlatformNamespace(namespace: string, context: LayerContext): boolean {
  const { systemNamespace, sharedNamespaces, services, gateway, monitoring } = context.platform.kubernetes
  const named = [
    systemNamespace,
    ...sharedNamespaces,
    ...services.map((pods) => pods.namespace),
    gateway?.namespace,
    monitoring?.namespace,
  ]
  return namespace === 'default' || namespace.startsWith('kube-') || named.includes(namespace)
}

export const namespace = (tenant: Tenant, context: LayerContext): Resource =>
  kubernetesResource(
    tenant,
    context,
    { layer: 'compute', kind: 'namespace', key: 'main', adopt: tenant.spec.compute.namespace.adopt },
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: tenant.names.namespace,
        labels: namespaceLabels(tenant, podSecurityLabels(tenant.spec.compute.podSecurity)),
        annotations: { ...tagAnnotations(tenant), ...admissionParameters(tenant, context) },
      },
    },
  )

/**
 * Not an object but the absence of pods: made after the fences and removed before them, so that at the end nothing
 * runs any more when a fence goes (a plain namespace deletion takes the policies before the pods: CVE-2024-7598).
 */
export function workloads(tenant: Tenant, context: LayerContext): Resource {
  const known = addresses(tenant.name)
  return {
    ...kubernetesResource(
      tenant,
      context,
      {
        layer: 'compute',
        kind: 'workloads',
        key: 'main',
        needs: [known.namespace, known.quota, known.limits, known.defaultDeny],
      },
      { apiVersion: 'ringfence.dev/v1alpha1', kind: 'Workloads', metadata: { name: tenant.names.namespace } },
    ),
    spec: { namespace: tenant.names.namespace },
  }
}
