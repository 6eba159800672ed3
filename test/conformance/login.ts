/** What the conformance tests of all credential stores share: a login and its material. */
import { createHash, randomBytes } from 'node:crypto'
import type { Material } from '../../src/model/driver.ts'
import { addressOf, type Resource } from '../../src/model/resource.ts'

export const material = (): { readonly password: Material } => {
  const clear = randomBytes(24).toString('base64url')
  return { password: { clear, sourceFingerprint: createHash('sha256').update(clear).digest('hex') } }
}

export function login(namespace: string): Resource {
  const name = `login-${randomBytes(4).toString('hex')}`
  return {
    kind: 'credential/Login',
    address: addressOf('acme', 'database', 'login', name),
    backend: 'credentials',
    externalName: `${namespace}/${name}`,
    owner: { name: 'acme', uid: 'u' },
    spec: {
      namespace,
      name,
      labels: { 'ringfence.dev/tenant': 'acme' },
      data: { host: 'db.example.com', port: 5432, database: 'acme_db', username: 'acme_user' },
    },
    secrets: [{ name: 'password', role: 'source' }],
    needs: [],
    onRemove: 'delete',
  }
}

export const changedLogin = (resource: Resource): Resource => ({
  ...resource,
  spec: { ...resource.spec, data: { ...(resource.spec['data'] as object), host: 'new.example.com' } },
})
