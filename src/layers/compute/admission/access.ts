/**
 * Guards who may be let into a tenant's namespace: bindings name the tenant's own people, automation and accounts, and
 * no token is made that outlives its revocation.
 */
import { roles } from '../../../model/tenant.ts'
import { parameter } from '../parameters.ts'
import { clusterRoleName } from '../roles.ts'
import { list, namespaceList, type PolicyText } from './cel.ts'

const everySubject = (condition: string): string =>
  `request.resource.resource != 'rolebindings' || !has(object.subjects) || object.subjects.all(s, ${condition})`

export const access = (): PolicyText => ({
  key: 'access',
  scope: 'Namespaced',
  rules: [
    { apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings'], operations: ['CREATE', 'UPDATE'] },
    { apiGroups: [''], resources: ['secrets'], operations: ['CREATE'] },
  ],
  conditions: [],
  variables: [
    { name: 'own', expression: 'namespaceObject.metadata.name' },
    namespaceList('groups', parameter.groups),
    namespaceList('accounts', parameter.serviceAccounts),
  ],
  validations: [
    {
      expression: everySubject(
        `s.kind != 'ServiceAccount' || (has(s.namespace) && (s.namespace == variables.own || (s.namespace + '/' + s.name) in variables.accounts))`,
      ),
      message:
        'a binding in the namespace of a tenant may only name service accounts of that namespace, or those of the tenant document',
    },
    {
      expression: everySubject(
        `s.kind != 'Group' || s.name in variables.groups || s.name == 'system:serviceaccounts:' + variables.own`,
      ),
      message: 'a binding in the namespace of a tenant may only name groups of the tenant document',
    },
    {
      expression: everySubject(`s.kind != 'User' || s.name.startsWith('system:serviceaccount:' + variables.own + ':')`),
      message: 'a binding in the namespace of a tenant may not name single users; name a group of the tenant document',
    },
    {
      expression: everySubject(`s.kind in ['ServiceAccount', 'Group', 'User']`),
      message: 'a binding in the namespace of a tenant may only name users, groups and service accounts',
    },
    {
      expression:
        `request.resource.resource != 'rolebindings' || object.roleRef.kind == 'Role' || ` +
        `object.roleRef.name in ${list(roles.map((role) => clusterRoleName(role)))}`,
      message:
        'a binding in the namespace of a tenant may only give its own roles, or ringfence-owner, ringfence-editor and ringfence-viewer',
    },
    {
      expression: `request.resource.resource != 'secrets' || !has(object.type) || object.type != 'kubernetes.io/service-account-token'`,
      message: 'service account tokens without an end may not be made in the namespace of a tenant',
    },
  ],
})
