/** Without a Kubernetes the fences are files: judged as files, missed when gone, written again. */
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Running, up } from '../../../src/up/up.ts'
import { documentOf } from '../../support/engine.ts'
import { describeOn } from '../../support/servers.ts'
import { account, allProved, caller, namedIn } from '../../support/whole.ts'

const tenants = ['acme', 'globex'] as const
let dir: string
let running: Running | undefined

const plane = () => (running ?? expect.fail('nothing runs')).controlPlane
const until = async (what: string, holds: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> => {
  for (const deadline = Date.now() + timeoutMs; !(await holds()); await sleep(100)) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`)
  }
}
const rendered = () =>
  until('both are Rendered', async () => {
    const views = await Promise.all(tenants.map((name) => plane().get(name)))
    return views.every((view) => view.status.phase === 'Rendered')
  })
const files = async (): Promise<readonly string[]> =>
  (await readdir(join(dir, 'manifests'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ringfence-rendered-'))
  // PostgreSQL has a user of its own, who must be able to pass.
  await chmod(dir, 0o711)
  running = await up(
    { demo: false, dataDir: dir, inCluster: false, kubernetes: 'render' },
    { env: {}, signal: new AbortController().signal, log: () => undefined },
  )
  await running.settled
  for (const name of tenants) {
    await plane().create(
      documentOf(name, { access: { roleBindings: [{ role: 'owner', groups: [`${name}-admins`] }] } }),
      caller,
    )
  }
  await rendered()
})
afterAll(async () => {
  await running?.stop()
  await rm(dir, { recursive: true, force: true })
})

describeOn(['postgres18'], 'a tenant that is rendered', () => {
  it('is proved from its manifests, and never called Ready', async () => {
    const report = await plane().prove([], caller)
    expect(allProved(report), account(report)).toBe(true)
    expect(report.source).toBe('manifests')
    expect((await plane().get('acme')).status.conditions.find((one) => one.type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'Rendered',
    })
    expect(plane().version()).toMatchObject({ medium: 'manifests' })
  })

  it('misses every policy file that is removed, and gets it back', { timeout: 120_000 }, async () => {
    const before = await files()
    const fences = before.filter((file) => /networkpolic|resourcequota|limitrange/i.test(file) && /acme/.test(file))
    expect(fences.length, before.join('\n')).toBeGreaterThanOrEqual(4)
    for (const fence of fences) {
      await plane().pause(caller)
      await sleep(200)
      await rm(fence)
      const report = await plane().prove(['acme'], caller)
      expect(allProved(report), fence).toBe(false)
      expect(namedIn(report, 'acme').length, fence).toBeGreaterThan(0)
      await plane().resume(caller)
      await until(
        `${fence} is back`,
        async () => (await files()).includes(fence) && allProved(await plane().prove([], caller)),
      )
    }
    await rendered()
    expect(await files()).toEqual(before)
  })
})
