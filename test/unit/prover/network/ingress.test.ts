/** What Ingress and Route objects open to the ingress controller, and what policies leave of it. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { b, into, lines } from './pods.ts'

describe('what Ingress and Route open', () => {
  const service = (spec: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'svc', namespace: 'ns' },
    spec,
  })
  const web = service({
    selector: { app: 'b' },
    ports: [
      { name: 'http', port: 80, targetPort: 'web' },
      { name: 'tls', port: 443, targetPort: 8443 },
    ],
  })
  const ingress = (spec: object): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'i', namespace: 'ns' },
    spec,
  })
  const backend = (port: object) => ({ service: { name: 'svc', port } })
  const rule = (port: object) => ingress({ rules: [{ http: { paths: [{ backend: backend(port) }] } }] })
  const route = (spec: object): KubeObject => ({
    apiVersion: 'route.openshift.io/v1',
    kind: 'Route',
    metadata: { name: 'r', namespace: 'ns' },
    spec,
  })
  const opened = (...objects: KubeObject[]) =>
    lines(b, ...objects)
      .find((line) => line.startsWith('{ingress-controller}'))
      ?.split(' : ')[1]

  const cases: [what: string, objects: KubeObject[], answer: string | undefined][] = [
    ['by number', [web, rule({ number: 443 })], 'TCP 8443'],
    ['by name, to a named target', [web, rule({ name: 'http' })], 'TCP 8080'],
    ['a default backend', [web, ingress({ defaultBackend: backend({ number: 80 }) })], 'TCP 8080'],
    [
      'several backends',
      [web, rule({ number: 80 }), { ...rule({ number: 443 }), metadata: { name: 'j', namespace: 'ns' } }],
      'TCP 8080,8443',
    ],
    ['a port that the Service lacks', [web, rule({ number: 81 })], undefined],
    ['a Service that is not there', [rule({ number: 80 })], undefined],
    [
      'a Service without selector',
      [service({ ports: [{ port: 80, targetPort: 8080 }] }), rule({ number: 80 })],
      undefined,
    ],
    [
      'a Service of another namespace',
      [{ ...web, metadata: { name: 'svc', namespace: 'other' } }, rule({ number: 80 })],
      undefined,
    ],
    [
      'a target that the pod does not declare',
      [service({ selector: { app: 'b' }, ports: [{ port: 80, targetPort: 9999 }] }), rule({ number: 80 })],
      undefined,
    ],
    [
      'a named target that is no TCP port',
      [service({ selector: { app: 'b' }, ports: [{ port: 80, targetPort: 'dns' }] }), rule({ number: 80 })],
      undefined,
    ],
    [
      'no target: the port itself',
      [service({ selector: { app: 'b' }, ports: [{ port: 8080 }] }), rule({ number: 8080 })],
      'TCP 8080',
    ],
    [
      'a rule without http, a backend without Service',
      [web, ingress({ rules: [{ host: 'x' }, { http: { paths: [{ backend: { resource: {} } }] } }] })],
      undefined,
    ],
    ['a Route without a port: every port', [web, route({ to: { kind: 'Service', name: 'svc' } })], 'TCP 8080,8443'],
    [
      'a Route by target',
      [web, route({ to: { kind: 'Service', name: 'svc' }, port: { targetPort: 8443 } })],
      'TCP 8443',
    ],
    ['a Route by name', [web, route({ to: { name: 'svc' }, port: { targetPort: 'http' } })], 'TCP 8080'],
    [
      'an alternate backend',
      [
        web,
        route({
          to: { kind: 'Service', name: 'none' },
          alternateBackends: [{ kind: 'Service', name: 'svc' }],
          port: { targetPort: 'tls' },
        }),
      ],
      'TCP 8443',
    ],
    ['a target of another kind', [web, route({ to: { kind: 'Pod', name: 'svc' } })], undefined],
    ['nothing asks', [web], undefined],
  ]
  test.each(cases)('%s', (_, objects, answer) => {
    expect(opened(...objects)).toBe(answer)
  })

  test('policies cut it: from all namespaces it passes, from chosen ones not', () => {
    const asked = [web, rule({ number: 443 })]
    expect(opened(...asked, into([{ from: [{ namespaceSelector: {} }] }]))).toBe('TCP 8443')
    expect(opened(...asked, into([{ from: [{ namespaceSelector: {} }], ports: [{ port: 80 }] }]))).toBeUndefined()
    expect(
      opened(
        ...asked,
        into([{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } }] }]),
      ),
    ).toBeUndefined()
    expect(opened(...asked, into([{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }]))).toBeUndefined()
    expect(opened(...asked, into([]))).toBeUndefined()
  })
})
