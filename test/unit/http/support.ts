/** A server over the fake control plane, and requests as an honest client sends them. */
import type { FastifyInstance, InjectOptions } from 'fastify'
import { createServer } from '../../../src/http/server.ts'
import type { ServerOptions } from '../../../src/http/server.ts'
import { fakeControlPlane } from './fake-control-plane.ts'
import type { Fake } from './fake-control-plane.ts'

export const token = 'a-token-of-the-tests-0123456789abcdef'
export const honest = { host: '127.0.0.1:8080', authorization: `Bearer ${token}` }

export const acme = (spec: object = {}) => ({
  apiVersion: 'ringfence.dev/v1alpha1',
  kind: 'Tenant',
  metadata: { name: 'acme' },
  spec,
})

export interface Rig {
  readonly app: FastifyInstance
  readonly fake: Fake
  readonly send: (
    options: InjectOptions & { headers?: Record<string, string> },
  ) => ReturnType<FastifyInstance['inject']>
}

export function rig(options: Partial<ServerOptions> = {}): Rig {
  const fake = fakeControlPlane()
  const app = createServer({
    controlPlane: fake,
    token,
    allowedHosts: ['127.0.0.1', 'localhost:8080'],
    denialWindowMs: 20,
    ...options,
  })
  return {
    app,
    fake,
    send: (request) => app.inject({ ...request, headers: { ...honest, ...request.headers } }) as never,
  }
}

/** Every route behind the token, with a request that succeeds once tenant acme is there. */
export const routes = [
  { method: 'GET', url: '/openapi.json' },
  { method: 'GET', url: '/v1/version' },
  { method: 'GET', url: '/v1/doctor' },
  { method: 'GET', url: '/v1/audit' },
  { method: 'POST', url: '/v1/pause' },
  { method: 'POST', url: '/v1/resume' },
  { method: 'GET', url: '/v1/tenants' },
  { method: 'POST', url: '/v1/tenants', payload: acme() },
  { method: 'GET', url: '/v1/tenants/acme' },
  { method: 'PUT', url: '/v1/tenants/acme', payload: acme() },
  { method: 'DELETE', url: '/v1/tenants/acme?confirm=acme' },
  { method: 'POST', url: '/v1/plan', payload: acme() },
  { method: 'POST', url: '/v1/tenants/acme/plan' },
  { method: 'POST', url: '/v1/plans/apply', payload: { document: acme(), basis: 'acme@101' } },
  { method: 'POST', url: '/v1/prove', payload: { tenants: ['acme'] } },
] as const satisfies readonly InjectOptions[]
export const streams = ['/v1/events', '/v1/tenants/acme/events'] as const
