/** A platform, a neighbour and a moment against which the tests of the rules judge documents. */
import { admissionProblems } from '../../../src/model/admit.ts'
import type { AdmissionContext } from '../../../src/model/admit.ts'
import { parseTenant } from '../../../src/model/parse.ts'
import { platformOf, tenantInput } from './documents.ts'

export const platform = platformOf({
  kubernetes: {
    sharedNamespaces: ['shared-tools'],
    ranges: ['10.42.0.0/16', '10.43.0.0/16', '192.168.7.0/24'],
    breakGlassGroups: ['emergency'],
    trusted: ['sre-team', 'system:serviceaccount:argocd:controller'],
    services: [{ namespace: 'catalog', podLabels: { app: 'catalog' }, ports: [{ port: 8585 }] }],
    gateway: { namespace: 'ingress-nginx', podLabels: { app: 'nginx' }, ports: [{ port: 8080 }] },
  },
  reservedNames: ['argocd'],
})
const globex = {
  name: 'globex',
  namespaces: ['ringfence-globex'],
  groups: ['globex-admins'],
  users: ['hank@globex.com'],
  serviceAccounts: [
    { namespace: 'ci', name: 'deployer' },
    { namespace: 'argocd', name: 'controller' },
  ],
  domain: 'data.globex.com',
}
const nowMs = Date.parse('2030-06-01T00:00:00Z')
export const context: AdmissionContext = { platform, others: [globex], nowMs }

export const check = (spec: object, more: Partial<AdmissionContext> = {}, name = 'acme') =>
  admissionProblems(parseTenant(tenantInput(spec, name)), { ...context, ...more })
export const paths = (spec: object, more: Partial<AdmissionContext> = {}, name = 'acme') =>
  check(spec, more, name).map((one) => one.path)
