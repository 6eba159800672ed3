/**
 * Guards what runs in a tenant's namespace beyond pod security: where images come from and that they are pulled anew
 * (a node keeps what others pulled with their credentials), where pods run, and which volumes they take.
 */
import { parameter } from '../parameters.ts'
import { namespaceList, text, type PolicyText } from './cel.ts'

const each = (field: string): string => `(has(object.spec.${field}) ? object.spec.${field} : [])`
const containers = ['containers', 'initContainers', 'ephemeralContainers'].map((field) => each(field)).join(' + ')
const imageVolumes = `${each('volumes')}.filter(v, has(v.image)).map(v, v.image)`

export const pods = (): PolicyText => ({
  key: 'pods',
  scope: 'Namespaced',
  rules: [{ apiGroups: [''], resources: ['pods', 'pods/ephemeralcontainers'], operations: ['CREATE', 'UPDATE'] }],
  // A rule that was tightened later must not keep controllers from ending pods that were admitted before.
  conditions: [{ name: 'spec-changes', expression: `oldObject == null || object.spec != oldObject.spec` }],
  variables: [
    { name: 'containers', expression: containers },
    { name: 'imageVolumes', expression: imageVolumes },
    namespaceList('registries', parameter.imageRegistries),
    namespaceList('priorities', parameter.priorityClasses),
    namespaceList('runtimes', parameter.runtimeClasses),
    namespaceList('runtime', parameter.runtimeClass),
    namespaceList('nodes', parameter.nodeSelector),
    { name: 'priority', expression: `has(object.spec.priorityClassName) ? object.spec.priorityClassName : ''` },
    { name: 'runtimeClass', expression: `has(object.spec.runtimeClassName) ? object.spec.runtimeClassName : ''` },
    { name: 'nodeSelector', expression: `has(object.spec.nodeSelector) ? object.spec.nodeSelector : {}` },
    {
      name: 'images',
      expression: `variables.containers.map(c, has(c.image) ? c.image : '') + variables.imageVolumes.map(i, has(i.reference) ? i.reference : '')`,
    },
  ],
  validations: [
    {
      expression: `has(namespaceObject.metadata.annotations) && ${text(parameter.version)} in namespaceObject.metadata.annotations`,
      message: 'the namespace of this tenant has no admission parameters yet; Ringfence puts them there',
    },
    {
      expression: `(variables.containers + variables.imageVolumes).all(c, has(c.imagePullPolicy) ? c.imagePullPolicy == 'Always' : has(c.pullPolicy) && c.pullPolicy == 'Always')`,
      message: 'images in the namespace of a tenant are always pulled: set imagePullPolicy to Always',
    },
    {
      expression: `size(variables.registries) == 0 || variables.images.all(i, variables.registries.exists(r, i.startsWith(r.endsWith('/') ? r : r + '/')))`,
      message:
        'images in the namespace of this tenant come from the registries of the tenant document (compute.allowed.imageRegistries), spelled out',
    },
    {
      expression: `!variables.priority.startsWith('system-') && (size(variables.priorities) == 0 || variables.priority == '' || variables.priority in variables.priorities)`,
      message: 'pods of this tenant may not use that priority class (compute.allowed.priorityClasses)',
    },
    {
      expression:
        `(size(variables.runtimes) == 0 || variables.runtimeClass == '' || variables.runtimeClass in variables.runtimes) && ` +
        `(size(variables.runtime) == 0 || variables.runtimeClass != '')`,
      message: 'pods of this tenant must use its runtime class (compute.runtimeClass, compute.allowed.runtimeClasses)',
    },
    {
      expression: `variables.nodes.all(line, variables.nodeSelector.exists(k, k + '=' + variables.nodeSelector[k] == line))`,
      message: 'pods of this tenant must select the nodes of the tenant document (compute.allowed.nodeSelector)',
    },
    {
      expression: `request.operation != 'CREATE' || !has(object.spec.nodeName) || object.spec.nodeName == ''`,
      message: 'pods of a tenant are placed by the scheduler; they may not name a node',
    },
  ],
})

export const storage = (): PolicyText => ({
  key: 'storage',
  scope: 'Namespaced',
  rules: [{ apiGroups: [''], resources: ['persistentvolumeclaims'], operations: ['CREATE'] }],
  conditions: [],
  variables: [
    namespaceList('classes', parameter.storageClasses),
    { name: 'storageClass', expression: `has(object.spec.storageClassName) ? object.spec.storageClassName : ''` },
  ],
  validations: [
    {
      expression: `size(variables.classes) == 0 || variables.storageClass in variables.classes`,
      message:
        'claims of this tenant may only use the storage classes of the tenant document (compute.allowed.storageClasses)',
    },
    {
      expression: `(!has(object.spec.volumeName) || object.spec.volumeName == '') && !has(object.spec.selector)`,
      message: 'a claim of a tenant may not pick an existing volume, which may hold the data of others',
    },
  ],
})
