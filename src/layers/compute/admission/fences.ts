/**
 * Guards what Ringfence keeps inside tenants' namespaces: quotas and limits by their kind, network policies of the
 * plug-ins by their group, everything else by our marks, which nobody else may set or take off.
 */
import { managedBy, managedByLabel } from '../../manifest.ts'
import { controllers, list, text, type PolicyText } from './cel.ts'

const pluginGroups = ['cilium.io', 'crd.projectcalico.org', 'projectcalico.org']

export function fences(): PolicyText {
  const ours =
    `[object, oldObject].exists(o, o != null && has(o.metadata.labels) && o.metadata.labels.exists(k, ` +
    `k.startsWith('ringfence.dev/') || (k == ${text(managedByLabel)} && o.metadata.labels[k] == ${text(managedBy)})))`
  return {
    key: 'fences',
    scope: 'Namespaced',
    rules: [
      { apiGroups: ['*'], resources: ['*', 'resourcequotas/status'], operations: ['CREATE', 'UPDATE', 'DELETE'] },
    ],
    conditions: [
      {
        name: 'a-fence',
        expression: `request.resource.resource in ['resourcequotas', 'limitranges'] || request.resource.group in ${list(pluginGroups)} || ${ours}`,
      },
    ],
    variables: [],
    validations: [
      {
        expression: `request.operation != 'CREATE' && request.userInfo.username in ${list(controllers)}`,
        message:
          'only Ringfence makes, changes and removes the quotas, limits and fences of a tenant, and whatever carries its labels',
      },
    ],
  }
}
