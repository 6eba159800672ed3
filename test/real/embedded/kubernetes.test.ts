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
})
