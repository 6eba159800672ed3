/** The embedded cluster is a real one: its people have the rights they should have, and its controllers act. */
import { expect, test } from 'vitest'
import { ask } from '../../../src/embedded/kubernetes/request.ts'
import { kubernetesVersion } from '../../../src/embedded/kubernetes/release.ts'
import { describeOn, servers } from '../../support/servers.ts'

describeOn(['kubernetes'], 'embedded Kubernetes', () => {
  test('the API server has the pinned version', async () => {
    const { kubernetes } = servers()
    expect(kubernetes.version).toBe(kubernetesVersion)
  })

  test('break-glass may do everything and a stranger nothing', async () => {
    const { kubernetes } = servers()
    expect((await ask(kubernetes.breakGlass, 'GET', '/api/v1/secrets?limit=1')).status).toBe(200)
    const refused = await ask(kubernetes.access('nobody', ['nothing']), 'GET', '/api/v1/secrets?limit=1')
    expect(refused.status).toBe(403)
    expect(JSON.parse(refused.body)).toMatchObject({ reason: 'Forbidden', details: { kind: 'secrets' } })
  })

  test('without a certificate nobody is let in', async () => {
    const { server, ca } = servers().kubernetes
    expect((await ask({ server, ca }, 'GET', '/api')).status).toBe(401)
    expect((await ask(servers().kubernetes.engine, 'GET', '/api')).status).toBe(200)
  })
  test('starting left no namespace behind, so its controllers also remove', async () => {
    const { admin } = servers().kubernetes
    const names = async (): Promise<string[]> => {
      const { body } = await ask(admin, 'GET', '/api/v1/namespaces')
      return (JSON.parse(body) as { items: { metadata: { name: string } }[] }).items.map((item) => item.metadata.name)
    }
    expect(await names()).toContain('kube-system')
    await expect
      .poll(async () => (await names()).filter((name) => name.startsWith('embedded-start-')), { timeout: 60_000 })
      .toEqual([])
  })

  test('the admission plugins that isolation rests on act', async () => {
    const { kubernetes } = servers()
    const namespace = `embedded-admission-${process.pid}`
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    const created = await ask(kubernetes.breakGlass, 'POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels },
    })
    expect(created.status).toBe(201)
    try {
      const path = `/api/v1/namespaces/${namespace}/pods`
      const serviceAccount = `/api/v1/namespaces/${namespace}/serviceaccounts/default`
      await expect
        .poll(async () => (await ask(kubernetes.admin, 'GET', serviceAccount)).status, { timeout: 30_000 })
        .toBe(200)
      const pod = (name: string, privileged: boolean): object => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: {
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'main',
              image: 'example.invalid/main:1',
              securityContext: privileged
                ? { privileged }
                : { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      })
      expect((await ask(kubernetes.breakGlass, 'POST', path, pod('plain', false))).status).toBe(201)
      const refused = await ask(kubernetes.breakGlass, 'POST', path, pod('privileged', true))
      expect(refused.status).toBe(403)
      expect(refused.body).toContain('violates PodSecurity \\"restricted:latest\\"')
      const node = kubernetes.access('system:node:one', ['system:nodes'])
      const other = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'two' } }
      const restricted = await ask(node, 'POST', '/api/v1/nodes', other)
      expect(restricted.status).toBe(403)
      expect(restricted.body).toContain('node \\"one\\" is not allowed to modify node \\"two\\"')
    } finally {
      await ask(kubernetes.breakGlass, 'DELETE', `/api/v1/namespaces/${namespace}`)
    }
  })
})
