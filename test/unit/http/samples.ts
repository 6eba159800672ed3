/** Answers of the fake control plane, as the real one words them. */
import type { AuditEntryView, PlanView } from '../../../src/engine/control-plane.ts'

export const proved = (tenant: string, claim = 'rbac.contained') =>
  ({
    claim,
    tenant,
    verdict: 'proved',
    checked: 12,
    assuming: ['the CNI enforces packets'],
    observed: ['2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z'],
  }) as const

export const refuted = (tenant: string) =>
  ({
    claim: 'rbac.fenced',
    tenant,
    verdict: 'refuted',
    counterexample: {
      subject: 'ServiceAccount globex/default',
      path: [
        {
          from: 'k8s:sa:globex/default',
          to: `k8s:ns:${tenant}`,
          rule: 'pods.exec',
          by: `RoleBinding ${tenant}/let-all`,
        },
      ],
      object: `namespace ${tenant}`,
      command: `kubectl --as system:serviceaccount:globex:default -n ${tenant} auth can-i create pods/exec`,
      culprits: [{ product: 'kubernetes', kind: 'RoleBinding', namespace: tenant, name: 'let-all' }],
    },
  }) as const

export function planSteps(name: string): PlanView['steps'] {
  const address = (what: string) => `${name}:compute/${what}/main` as PlanView['steps'][number]['address']
  return [
    {
      address: address('namespace'),
      kind: 'kubernetes/Namespace',
      externalName: `ringfence-${name}`,
      verb: 'create',
      destructive: false,
      drift: [],
      why: 'not there yet',
    },
    {
      address: address('quota'),
      kind: 'kubernetes/ResourceQuota',
      externalName: `ringfence-${name}/quota`,
      verb: 'update',
      destructive: false,
      drift: [{ path: '/hard/pods', from: '100', to: '50', how: 'update' }],
      why: 'the document changed',
    },
    {
      address: address('role'),
      kind: 'kubernetes/RoleBinding',
      externalName: `ringfence-${name}/owner`,
      verb: 'replace',
      destructive: true,
      drift: [{ path: '/roleRef', from: 'a', to: 'b', how: 'replace' }],
      why: 'roleRef is immutable',
    },
    {
      address: address('stale'),
      kind: 'postgres/Database',
      externalName: `${name}_db`,
      verb: 'delete',
      destructive: true,
      drift: [],
      why: 'not wanted any more',
    },
    {
      address: address('limits'),
      kind: 'kubernetes/LimitRange',
      externalName: `ringfence-${name}/limits`,
      verb: 'none',
      destructive: false,
      drift: [],
      why: '',
    },
  ]
}

export const auditEntries = (): readonly AuditEntryView[] =>
  Array.from({ length: 5 }, (_, index) => ({
    sequence: index + 1,
    time: '2026-01-01T00:00:00.000Z',
    tenant: index === 0 ? null : 'acme',
    actor: 'operator:1234',
    action: 'tenant.create',
    object: 'tenant/acme',
    decision: 'PROVISIONED',
    severity: 'info',
    classification: 'internal',
    details: { paths: ['/spec'] },
    requestId: `request-${index}`,
    previousHash: '00',
    hash: '11',
  }))
