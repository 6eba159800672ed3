/** Two pods in one namespace, `a` and `b` with its ports, and a policy on `b`: what the tests of connections share. */
import { expect } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { connectionLines } from '../../../../src/prover/network/connection-lines.ts'
import { policy } from './worlds.ts'

export const pod = (
  name: string,
  labels: Record<string, string> = {},
  more: { namespace?: string; ports?: object[]; owner?: object } = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: more.namespace ?? 'ns',
    labels,
    ...(more.owner ? { ownerReferences: [{ controller: true, ...more.owner }] } : {}),
  },
  spec: { containers: [{ name: 'c', ports: more.ports ?? [] }] },
})
export const a = pod('a', { app: 'a' })
export const b = pod(
  'b',
  { app: 'b' },
  {
    ports: [
      { name: 'web', containerPort: 8080 },
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { name: 'web', containerPort: 8443 },
    ],
  },
)
export const into = (rules: object[] | undefined, more: object = {}) =>
  policy('ns', 'p', {
    podSelector: { matchLabels: { app: 'b' } },
    ...(rules === undefined ? {} : { ingress: rules }),
    ...more,
  })
export const lines = (...objects: KubeObject[]): readonly string[] => {
  const answer = connectionLines(objects)
  expect(answer).toHaveProperty('lines')
  return 'lines' in answer ? answer.lines : []
}
