/**
 * The ClusterRoles that every API server makes for itself (label kubernetes.io/bootstrapping=rbac-defaults), for worlds
 * made of files, where nobody has to write them down. A test compares them with a real server.
 */
import type { KubeObject } from '../../model/world.ts'
import { rbacGroup } from './policy.ts'
import data from './builtin-roles.json' with { type: 'json' }

/** As the API would give them; aggregated ones without rules, which `readPolicy` fills in. */
export const builtinRoles: readonly KubeObject[] = data.map(({ name, labels, ...rest }) => ({
  apiVersion: `${rbacGroup}/v1`,
  kind: 'ClusterRole',
  metadata: { name, labels: labels },
  ...rest,
}))

/** The objects and the built-in roles that none of them replaces. */
export function withBuiltinRoles(objects: readonly KubeObject[]): readonly KubeObject[] {
  const written = new Set(
    objects
      .filter(({ kind, apiVersion }) => kind === 'ClusterRole' && apiVersion === `${rbacGroup}/v1`)
      .map(({ metadata }) => metadata.name),
  )
  return [...objects, ...builtinRoles.filter(({ metadata }) => !written.has(metadata.name))]
}
