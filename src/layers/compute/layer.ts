/** The compute layer: a namespace, what may be used in it, who may act in it, and the rules that hold the rest off. */
import { RingfenceError } from '../../model/errors.ts'
import type { Claim, Layer, LayerContext } from '../../model/layer.ts'
import type { Resource } from '../../model/resource.ts'
import type { Tenant } from '../../model/tenant.ts'
import { accessResources } from './access.ts'
import { isPlatformNamespace, namespace, workloads } from './namespace.ts'
import { boundGroups } from './parameters.ts'
import { platformResources } from './platform.ts'
import { limitRange, resourceQuota } from './quota.ts'
import { pluralOf, sharableKinds } from './sharable.ts'

/** Why it cannot be served. Documents are admitted before; what is refused here would be dangerous to do anyway. */
function problem(tenant: Tenant, context: LayerContext): RingfenceError | undefined {
  if (context.backends.kubernetes === undefined) {
    return new RingfenceError(
      'NotConfigured',
      'no Kubernetes is configured; name a context, or render manifests with --kubernetes render',
    )
  }
  const refused = (path: string, reason: string, fix: string) =>
    new RingfenceError('InvalidDocument', `${path}: ${reason}; ${fix}`, { problems: [{ path, reason, fix }] })
  if (isPlatformNamespace(tenant.names.namespace, context)) {
    return refused(
      '/spec/compute/namespace/name',
      `the namespace "${tenant.names.namespace}" is the platform's`,
      'name another one',
    )
  }
  const { create, adopt } = tenant.spec.compute.namespace
  if (!create && !adopt) {
    return refused(
      '/spec/compute/namespace/create',
      'the namespace is neither to be created nor adopted',
      'set adopt: true to take over an existing one',
    )
  }
  const groups = new Set(boundGroups(tenant))
  const group = tenant.spec.access.roleBindings.flatMap((binding) => binding.groups).find((name) => !groups.has(name))
  if (group !== undefined) {
    return refused(
      '/spec/access/roleBindings',
      `the group ${JSON.stringify(group)} cannot be a tenant's`,
      'name a group of your identity provider',
    )
  }
  const unknown = tenant.spec.access.shared.find((shared) => pluralOf(shared.apiGroup, shared.kind) === undefined)
  if (unknown !== undefined) {
    return refused(
      '/spec/access/shared',
      `objects of kind ${JSON.stringify(unknown.kind)} cannot be shared`,
      `share one of ${sharableKinds.join(', ')}`,
    )
  }
  return undefined
}

const claims = (tenant: Tenant): readonly Claim[] => [
  {
    id: 'rbac.contained',
    tenant: tenant.name,
    statement: `Nobody of ${tenant.name} can reach anything of others through the Kubernetes API.`,
  },
  {
    id: 'rbac.fenced',
    tenant: tenant.name,
    statement: `Nobody else can reach anything of ${tenant.name} through the Kubernetes API.`,
  },
]

function desired(tenant: Tenant, context: LayerContext): readonly Resource[] {
  return [
    namespace(tenant, context),
    resourceQuota(tenant, context),
    limitRange(tenant, context),
    ...accessResources(tenant, context),
    // What runs in an adopted namespace was there before us and stays when we go.
    ...(tenant.spec.compute.namespace.adopt ? [] : [workloads(tenant, context)]),
  ]
}

export const computeLayer: Layer = {
  name: 'compute',
  wanted: () => true,
  problem,
  platform: (context) => platformResources(context),
  desired,
  claims,
}
