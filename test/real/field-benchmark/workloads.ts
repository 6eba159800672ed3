/** What the tenant's pods, services and volumes may be. */
import { expect, test } from 'vitest'
import type { JsonObject } from '../../../src/model/json.ts'
import { own, pod, podChecks, quotaNames } from './checks.ts'
import { dry, pods, words, type People } from './people.ts'

export function workloadTests(world: () => People): void {
  for (const check of podChecks) {
    test(check.what, async () => {
      expect(words(await world().people.editor('POST', pods(own), check.pod))).toEqual({
        status: 403,
        message: expect.stringContaining(check.says),
      })
      // The very same pod where no fence stands, and the pod without the one thing where it does.
      expect((await world().free('POST', pods('free'), check.pod)).status).toBe(201)
      expect((await world().people.editor('POST', pods(own), pod())).status).toBe(201)
    })
  }

  test('block node ports', async () => {
    const service = (spec: JsonObject) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'probe' },
      spec: { ports: [{ port: 80 }], ...spec },
    })
    const path = (namespace: string) => dry(`/api/v1/namespaces/${namespace}/services`)
    expect((await world().people.editor('POST', path(own), service({}))).status).toBe(201)
    expect((await world().free('POST', path('free'), service({ type: 'NodePort' }))).status).toBe(201)
    expect(words(await world().people.editor('POST', path(own), service({ type: 'NodePort' })))).toEqual({
      status: 403,
      message: expect.stringContaining(`ValidatingAdmissionPolicy 'ringfence-services'`),
    })
    // A load balancer takes node ports too, unless it says otherwise; of those there are none.
    expect(words(await world().people.editor('POST', path(own), service({ type: 'LoadBalancer' })))).toEqual({
      status: 403,
      message: expect.stringMatching(/exceeded quota: ringfence, requested: .*services\.nodeports=1/),
    })
    expect(
      (
        await world().people.editor(
          'POST',
          path(own),
          service({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
        )
      ).status,
    ).toBe(201)
  })

  test('quotas on cpu, memory, ephemeral storage and nine object counts, which bite', async () => {
    const { body } = await world().people.viewer('GET', `/api/v1/namespaces/${own}/resourcequotas/ringfence`)
    const hard = (body['status'] as { hard: { [name: string]: string } }).hard
    expect(Object.keys(hard)).toEqual(expect.arrayContaining([...quotaNames.amounts, ...quotaNames.counts]))
    expect(hard['services.nodeports']).toBe('0')
    const huge = { cpu: '1000', memory: '10Ti', 'ephemeral-storage': '10Ti' }
    for (const [name, amount] of Object.entries(huge)) {
      const resources = { requests: { [name]: amount }, limits: { [name]: amount } }
      const greedy = pod({ container: { resources } })
      expect.soft(words(await world().people.editor('POST', pods(own), greedy))).toEqual({
        status: 403,
        message: expect.stringMatching(new RegExp(`exceeded quota: ringfence, requested: .*${name}=`)),
      })
      expect.soft((await world().free('POST', pods('free'), greedy)).status).toBe(201)
    }
    const defaulted = await world().people.editor('POST', pods(own), pod())
    const { containers } = defaulted.body['spec'] as { containers: { resources: JsonObject }[] }
    expect(containers[0]?.resources['limits']).toEqual({ cpu: '500m', memory: '512Mi', 'ephemeral-storage': '1Gi' })
  })

  test('images are always pulled', async () => {
    const cached = pod({ container: { imagePullPolicy: 'IfNotPresent' } })
    expect(words(await world().people.editor('POST', pods(own), cached))).toEqual({
      status: 403,
      message: expect.stringContaining('always pulled'),
    })
    expect((await world().free('POST', pods('free'), cached)).status).toBe(201)
    expect((await world().people.editor('POST', pods(own), pod())).status).toBe(201)
  })

  test('existing volumes are not picked up', async () => {
    const claim = (spec: JsonObject) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'probe' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
    })
    const path = (namespace: string) => dry(`/api/v1/namespaces/${namespace}/persistentvolumeclaims`)
    expect((await world().people.editor('POST', path(own), claim({}))).status).toBe(201)
    expect(words(await world().people.editor('POST', path(own), claim({ volumeName: 'old' })))).toEqual({
      status: 403,
      message: expect.stringContaining('may not pick an existing volume'),
    })
    expect((await world().free('POST', path('free'), claim({ volumeName: 'old' }))).status).toBe(201)
  })
}
