/** The credential files are held to the contract, on a folder of their own. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCredentialFileBackend } from '../../../../src/drivers/credential-file/backend.ts'
import type { Driver } from '../../../../src/model/driver.ts'
import type { JsonObject } from '../../../../src/model/json.ts'
import type { Resource } from '../../../../src/model/resource.ts'
import {
  call,
  driverConformance,
  expectOwned,
  refusal,
  type ConformanceEnvironment,
} from '../../../conformance/driver.ts'
import { changedLogin, login, material } from '../../../conformance/login.ts'

interface Environment extends ConformanceEnvironment {
  readonly folder: string
}
const fileOf = (folder: string, resource: Resource) => join(folder, `${resource.externalName.replace('/', '_')}.json`)
const change =
  (edit: (file: { data: JsonObject; secrets: JsonObject }) => object) =>
  async ({ folder }: Environment, resource: Resource) => {
    const path = fileOf(folder, resource)
    const file = JSON.parse(await readFile(path, 'utf8')) as { data: JsonObject; secrets: JsonObject }
    await writeFile(path, JSON.stringify({ ...file, ...edit(file) }))
  }

driverConformance<Environment>('the credential files', {
  hasTransport: false,
  hasPowerless: false,
  async setup() {
    const folder = await mkdtemp(join(tmpdir(), 'ringfence-credentials-'))
    return {
      folder,
      backend: createCredentialFileBackend('credentials', { folder }),
      close: () => rm(folder, { recursive: true, force: true }),
    }
  },
  cases: [
    {
      title: 'a login',
      fresh: async () => login('acme'),
      changed: changedLogin,
      disturbances: [
        {
          title: 'another host',
          path: '/data/host',
          disturb: change(({ data }) => ({ data: { ...data, host: 'evil.example.com' } })),
        },
        {
          title: 'a key added',
          path: '/data/extra',
          disturb: change(({ data }) => ({ data: { ...data, extra: 'x' } })),
        },
        { title: 'the password gone', path: '/slots', disturb: change(() => ({ secrets: {} })) },
        {
          title: 'readable by others',
          path: '/closed',
          disturb: async ({ folder }, resource) => chmod(fileOf(folder, resource), 0o644),
        },
      ],
      stranger: async ({ folder }, resource) =>
        writeFile(
          fileOf(folder, resource),
          JSON.stringify({ id: 'theirs', journal: 'theirs', data: {}, secrets: { password: 'theirs' } }),
          { mode: 0o600 },
        ),
      destroy: async ({ folder }, resource) => rm(fileOf(folder, resource)),
      raw: async ({ folder }, resource) => readFile(fileOf(folder, resource), 'utf8').catch(() => undefined),
      material,
    },
  ],
})

describe('credential files on disk', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ringfence-credentials-'))
  })
  afterEach(() => rm(root, { recursive: true, force: true }))
  const driverAt = (folder: string): Driver =>
    createCredentialFileBackend('credentials', { folder }).drivers['credential/Login'] as Driver

  it('is a 0600 file in a 0700 folder, and holds what logs in', async () => {
    const folder = join(root, 'credentials')
    const resource = login('acme')
    const slots = material()
    expectOwned(await driverAt(folder).create(resource, call({ material: slots })))
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect((await stat(fileOf(folder, resource))).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(fileOf(folder, resource), 'utf8'))).toMatchObject({
      secrets: { password: slots.password.clear },
      data: { username: 'acme_user' },
    })
  })

  it('closes a folder that was left open', async () => {
    await mkdir(join(root, 'open'), { mode: 0o755 })
    expectOwned(await driverAt(join(root, 'open')).create(login('acme'), call({ material: material() })))
    expect((await stat(join(root, 'open'))).mode & 0o777).toBe(0o700)
  })

  it('does not write where the folder is a link', async () => {
    await mkdir(join(root, 'elsewhere'))
    await symlink(join(root, 'elsewhere'), join(root, 'linked'))
    expect(
      (await refusal(driverAt(join(root, 'linked')).create(login('acme'), call({ material: material() })))).code,
    ).toBe('Guarded')
  })

  it('is unreadable, never absent, where the file is a link or is no file of ours, and quotes none of it', async () => {
    const resource = login('acme')
    await writeFile(fileOf(root, resource), '"hunter2')
    const broken = await driverAt(root).observe(resource, call())
    expect(broken.status === 'unreadable' && broken.cause.code).toBe('Unreadable')
    expect(JSON.stringify(broken) + String(broken.status === 'unreadable' && broken.cause.stack)).not.toContain(
      'hunter2',
    )
    const linked = login('acme')
    await symlink(join(root, 'nowhere'), fileOf(root, linked))
    expect((await driverAt(root).observe(linked, call())).status).toBe('unreadable')
  })

  it('does not leave the folder whatever the name is', async () => {
    const folder = join(root, 'credentials')
    const hostile: Resource = { ...login('acme'), externalName: '../../../escape/..' }
    expectOwned(await driverAt(folder).create(hostile, call({ material: material() })))
    expect(await stat(join(folder, '.._.._.._escape_...json')).then((found) => found.isFile())).toBe(true)
  })
})
