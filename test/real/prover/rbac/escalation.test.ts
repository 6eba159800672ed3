/**
 * The escalation edges, walked for real on the API server. Each begins with the same act refused without the grant (the
 * control), then the grant, and then the thing that must not have been possible.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signRequest } from './signing.ts'
import { describeOn, servers } from '../../../support/servers.ts'
import { type Answer, type Cluster, clusterOf, decoded, until } from './cluster.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const rbacVersion = { apiVersion: 'rbac.authorization.k8s.io/v1' }
const apiGroup = 'rbac.authorization.k8s.io'

interface Rule {
  readonly groups?: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

describeOn(['kubernetes'], 'escalation edges on the API server', () => {
  const id = `re${randomBytes(3).toString('hex')}`
  const home = `${id}-home`
  let admin: Cluster
  const made: string[] = []
  let count = 0

  const create = async (path: string, body: Record<string, unknown>): Promise<Answer> => {
    const answer = await admin.ask('POST', path, body)
    expect(answer.status, JSON.stringify(answer.body)).toBe(201)
    return answer
  }

  beforeAll(async () => {
    admin = clusterOf(servers().kubernetes.admin)
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: home, labels } })
    await create(`/api/v1/namespaces/${home}/serviceaccounts`, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'strong' },
    })
    await create(`${rbac}/clusterroles`, {
      ...rbacVersion,
      kind: 'ClusterRole',
      metadata: { name: `${id}-strong` },
      rules: [{ apiGroups: [''], resources: ['configmaps', 'namespaces'], verbs: ['*'] }],
    })
    made.push(`${rbac}/clusterroles/${id}-strong`)
    await create(`${rbac}/namespaces/${home}/rolebindings`, {
      ...rbacVersion,
      kind: 'RoleBinding',
      metadata: { name: 'strong' },
      roleRef: { apiGroup, kind: 'ClusterRole', name: `${id}-strong` },
      subjects: [{ kind: 'ServiceAccount', name: 'strong', namespace: home }],
    })
    await until(
      'the default ServiceAccount',
      async () => (await admin.ask('GET', `/api/v1/namespaces/${home}/serviceaccounts/default`)).status === 200,
    )
  })

  afterAll(async () => {
    for (const path of made.toReversed()) await admin.ask('DELETE', path)
    await admin.ask('DELETE', `/api/v1/namespaces/${home}`)
    await admin.close()
  })

  /** A new user with these rights, at home or everywhere. */
  const newUser = () => `${id}-user-${(count += 1)}`
  const grant = async (user: string, place: string, ...rules: readonly Rule[]) => {
    const name = `${user}-${(count += 1)}`
    const prefix = place === '*' ? 'Cluster' : ''
    const base = place === '*' ? rbac : `${rbac}/namespaces/${place}`
    const [role, binding] = place === '*' ? ['clusterroles', 'clusterrolebindings'] : ['roles', 'rolebindings']
    await create(`${base}/${role}`, {
      ...rbacVersion,
      kind: `${prefix}Role`,
      metadata: { name },
      rules: rules.map(({ groups, ...rule }) => ({ apiGroups: groups ?? [''], ...rule })),
    })
    await create(`${base}/${binding}`, {
      ...rbacVersion,
      kind: `${prefix}RoleBinding`,
      metadata: { name },
      roleRef: { apiGroup, kind: `${prefix}Role`, name },
      subjects: [{ kind: 'User', apiGroup, name: user }],
    })
    made.push(`${base}/${role}/${name}`, `${base}/${binding}/${name}`)
  }
  const as = (user: string) => ({ 'impersonate-user': user, 'impersonate-group': 'system:authenticated' })
  type Act = () => Promise<Answer>

  const isRefused = (answer: Answer, why: RegExp = /is forbidden|cannot/) => {
    expect(answer.status, JSON.stringify(answer.body)).toBe(403)
    expect(answer.body).toMatchObject({ kind: 'Status', reason: 'Forbidden', message: expect.stringMatching(why) })
  }
  /** The act is refused, then the grant is made, then the same act succeeds. */
  const opens = async (act: Act, give: () => Promise<void>, why?: RegExp): Promise<Answer> => {
    isRefused(await act(), why)
    await give()
    let answer: Answer | undefined
    await until('the grant to bite', async () => {
      answer = await act()
      return answer.status < 300
    }, 10_000).catch(() => undefined) // prettier-ignore
    expect(answer?.status, JSON.stringify(answer?.body)).toBeLessThan(300)
    return answer as Answer
  }
  const configmaps = `/api/v1/namespaces/${home}/configmaps`
  const withToken = async (token: string): Promise<Answer> => {
    const { server, ca } = servers().kubernetes
    const cluster = clusterOf({ server, ca, token: () => Promise.resolve(token) })
    try {
      return await cluster.ask('GET', configmaps)
    } finally {
      await cluster.close()
    }
  }

  test('serviceaccounts.token: a token that may do what the account may', async () => {
    const user = newUser()
    const act = () =>
      admin.ask(
        'POST',
        `/api/v1/namespaces/${home}/serviceaccounts/strong/token`,
        { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
        as(user),
      )
    const { body } = await opens(act, () =>
      grant(user, home, { resources: ['serviceaccounts/token'], verbs: ['create'] }),
    )
    expect((await withToken(body.status.token)).status).toBe(200)
    expect((await withToken(`${body.status.token}x`)).status).toBe(401)
  })

  test('secrets.create and secrets.read: the controller puts a token into a Secret, and who reads it is the account', async () => {
    const user = newUser()
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/service-account-token',
      metadata: { name: 'stolen', annotations: { 'kubernetes.io/service-account.name': 'strong' } },
    }
    await opens(
      () => admin.ask('POST', `/api/v1/namespaces/${home}/secrets`, secret, as(user)),
      () => grant(user, home, { resources: ['secrets'], verbs: ['create'] }),
    )
    const read = () => admin.ask('GET', `/api/v1/namespaces/${home}/secrets/stolen`, undefined, as(user))
    await opens(read, () => grant(user, home, { resources: ['secrets'], verbs: ['get'] }))
    let token = ''
    await until('the token', async () => {
      token = decoded((await read()).body.data?.token ?? '')
      return token !== ''
    })
    expect((await withToken(token)).status).toBe(200)
  })

  test.each([['serviceaccounts'], ['users'], ['groups']])(
    '%s.impersonate: acts with the rights of another',
    async (what) => {
      const user = newUser()
      const { kubernetes } = servers()
      const own = clusterOf(kubernetes.access(user))
      const headers: { [what: string]: Record<string, string | string[]> } = {
        serviceaccounts: { 'impersonate-user': `system:serviceaccount:${home}:strong` },
        users: { 'impersonate-user': 'system:kube-controller-manager' },
        groups: { 'impersonate-user': user, 'impersonate-group': 'system:masters' },
      }
      const path = what === 'serviceaccounts' ? configmaps : `/api/v1/namespaces/kube-system/serviceaccounts`
      const act = () => own.ask('GET', path, undefined, headers[what])
      const give = () =>
        what === 'serviceaccounts'
          ? grant(user, home, { resources: [what], verbs: ['impersonate'] })
          : grant(user, '*', { resources: what === 'groups' ? ['users', 'groups'] : [what], verbs: ['impersonate'] })
      try {
        await opens(act, give, /cannot impersonate/)
      } finally {
        await own.close()
      }
    },
  )

  test('roles.bind: a role that the binder does not hold', async () => {
    const user = newUser()
    await grant(user, home, { groups: [apiGroup], resources: ['rolebindings'], verbs: ['create'] })
    const body = {
      ...rbacVersion,
      kind: 'RoleBinding',
      metadata: { name: user },
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', apiGroup, name: user }],
    }
    await opens(
      () => admin.ask('POST', `${rbac}/namespaces/${home}/rolebindings`, body, as(user)),
      () => grant(user, home, { groups: [apiGroup], resources: ['clusterroles'], verbs: ['bind'] }),
    )
    // And from there, by namespaces.modify, the pod security label.
    const relabel = () =>
      admin.ask(
        'PATCH',
        `/api/v1/namespaces/${home}/status?dryRun=All`,
        { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } },
        as(user),
      )
    await until('the new binding to bite', async () => (await relabel()).status === 200)
    expect((await relabel()).body.metadata.labels['pod-security.kubernetes.io/enforce']).toBe('privileged')
  })

  test.each([['roles', home], ['clusterroles', '*']])('%s.escalate: a role stronger than its author', async (plural, place) => {
    const user = newUser()
    await grant(user, place, { groups: [apiGroup], resources: [plural], verbs: ['create'] })
    const kind = place === '*' ? 'ClusterRole' : 'Role'
    const base = place === '*' ? rbac : `${rbac}/namespaces/${home}`
    const body = { ...rbacVersion, kind, metadata: { name: `${user}-all` }, rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] }
    made.push(`${base}/${plural}/${user}-all`)
    await opens(() => admin.ask('POST', `${base}/${plural}`, body, as(user)), () => grant(user, place, { groups: [apiGroup], resources: [plural], verbs: ['escalate'] }), /attempting to grant RBAC permissions not currently held/)
  }) // prettier-ignore

  test.each([
    ['namespaces', ''],
    ['namespaces/status', '/status'],
  ])('namespaces.modify by %s: the pod security label goes, and a privileged pod is let in', async (resource, path) => {
    const user = newUser()
    await grant(user, home, { resources: ['pods'], verbs: ['create'] })
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'privileged' },
      spec: { containers: [{ name: 'c', image: 'registry.k8s.io/pause', securityContext: { privileged: true } }] },
    }
    const run = () => admin.ask('POST', `/api/v1/namespaces/${home}/pods?dryRun=All`, pod, as(user))
    await until('pods to be judged by pod security', async () =>
      /violates PodSecurity/.test((await run()).body.message ?? ''),
    )
    isRefused(await run(), /violates PodSecurity "restricted:latest": privileged/)
    const relabel = (level: string, who: Record<string, string>) =>
      admin.ask(
        'PATCH',
        `/api/v1/namespaces/${home}${path}`,
        { metadata: { labels: { 'pod-security.kubernetes.io/enforce': level } } },
        who,
      )
    await opens(
      () => relabel('privileged', as(user)),
      () => grant(user, home, { resources: [resource], verbs: ['patch'] }),
    )
    await until('the label to bite', async () => (await run()).status === 201)
    expect(
      (
        await admin.ask('PATCH', `/api/v1/namespaces/${home}`, {
          metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
        })
      ).status,
    ).toBe(200)
  })

  test('pods.create: a pod under another account is admitted', async () => {
    const user = newUser()
    const securityContext = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    }
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'borrowed' },
      spec: {
        serviceAccountName: 'strong',
        containers: [{ name: 'c', image: 'registry.k8s.io/pause', securityContext }],
      },
    }
    const { body } = await opens(
      () => admin.ask('POST', `/api/v1/namespaces/${home}/pods`, pod, as(user)),
      () => grant(user, home, { resources: ['pods'], verbs: ['create'] }),
    )
    expect(body.spec.serviceAccountName).toBe('strong')
    expect(JSON.stringify(body.spec.volumes)).toContain('serviceAccountToken')
  })

  test('csr.approve: a client certificate in a name of its choice', async () => {
    const user = newUser()
    const target = `${id}-certified`
    await grant(target, home, { resources: ['configmaps'], verbs: ['list'] })
    const { request, key } = signRequest(target)
    const name = `${id}-csr`
    const csr = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name },
      spec: {
        request: Buffer.from(request).toString('base64'),
        signerName: 'kubernetes.io/kube-apiserver-client',
        usages: ['client auth'],
      },
    }
    await create('/apis/certificates.k8s.io/v1/certificatesigningrequests', csr)
    const path = `/apis/certificates.k8s.io/v1/certificatesigningrequests/${name}`
    made.push(path)
    const approve = () =>
      admin.ask(
        'PATCH',
        `${path}/approval`,
        { status: { conditions: [{ type: 'Approved', status: 'True', reason: 'Mine', message: 'mine' }] } },
        as(user),
      )
    await opens(approve, () =>
      grant(
        user,
        '*',
        { groups: ['certificates.k8s.io'], resources: ['certificatesigningrequests/approval'], verbs: ['patch'] },
        { groups: ['certificates.k8s.io'], resources: ['signers'], verbs: ['approve'] },
      ),
    )
    let cert = ''
    await until('the certificate', async () => {
      cert = decoded((await admin.ask('GET', path)).body.status?.certificate ?? '')
      return cert !== ''
    })
    const { server, ca } = servers().kubernetes
    const certified = clusterOf({ server, ca, certificate: { cert, key } })
    try {
      expect((await certified.ask('GET', configmaps)).status).toBe(200)
    } finally {
      await certified.close()
    }
  })

  test('admission-policies.write: the guard goes', async () => {
    const user = newUser()
    const base = '/apis/admissionregistration.k8s.io/v1'
    const name = `${id}-guard`
    const apiVersion = 'admissionregistration.k8s.io/v1'
    await create(`${base}/validatingadmissionpolicies`, {
      apiVersion, kind: 'ValidatingAdmissionPolicy', metadata: { name },
      spec: { failurePolicy: 'Fail', matchConstraints: { resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }] }, validations: [{ expression: "!object.metadata.name.startsWith('guarded')", message: 'guarded' }] },
    }) // prettier-ignore
    const spec = {
      policyName: name,
      validationActions: ['Deny'],
      matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': home } } },
    }
    await create(`${base}/validatingadmissionpolicybindings`, {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec,
    })
    made.push(`${base}/validatingadmissionpolicies/${name}`, `${base}/validatingadmissionpolicybindings/${name}`)
    const guarded = (dry: number) =>
      admin.ask('POST', `${configmaps}?dryRun=All`, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `guarded-${dry}` },
      })
    await until('the guard to bite', async () => (await guarded(1)).status === 422)
    expect((await guarded(2)).body.message).toContain('guarded')
    await opens(
      () => admin.ask('DELETE', `${base}/validatingadmissionpolicybindings/${name}`, undefined, as(user)),
      () =>
        grant(user, '*', {
          groups: ['admissionregistration.k8s.io'],
          resources: ['validatingadmissionpolicybindings'],
          verbs: ['delete'],
        }),
    )
    await until('the guard to be gone', async () => (await guarded(3)).status === 201)
  })

  test.each([
    [
      'persistentvolumes.write',
      '/api/v1/persistentvolumes',
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/' } },
      },
      '',
      'persistentvolumes',
    ],
    [
      'webhooks.write',
      '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
      { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration', webhooks: [] },
      'admissionregistration.k8s.io',
      'mutatingwebhookconfigurations',
    ],
    [
      'endpoints.write',
      `/apis/discovery.k8s.io/v1/namespaces/${home}/endpointslices`,
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.9.9.9'] }],
      },
      'discovery.k8s.io',
      'endpointslices',
    ],
    [
      'quotas.write',
      `/api/v1/namespaces/${home}/resourcequotas`,
      { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { pods: '9999' } } },
      '',
      'resourcequotas',
    ],
    [
      'networkpolicies.write',
      `/apis/networking.k8s.io/v1/namespaces/${home}/networkpolicies`,
      { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', spec: { podSelector: {}, ingress: [{}] } },
      'networking.k8s.io',
      'networkpolicies',
    ],
  ] as const)('%s: the API server takes it from whoever may create it', async (_, path, body, group, plural) => {
    const user = newUser()
    const place = path.includes('/namespaces/') ? home : '*'
    await opens(
      () => admin.ask('POST', `${path}?dryRun=All`, { ...body, metadata: { name: user } }, as(user)),
      () => grant(user, place, { groups: [group], resources: [plural], verbs: ['create'] }),
    )
  })
})
