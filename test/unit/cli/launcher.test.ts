import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const launcher = fileURLToPath(new URL('../../../bin/ringfence', import.meta.url))
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringfence-launcher-'))
})
afterEach(() => rm(folder, { recursive: true }))

const start = (file: string, args: readonly string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(file, [...args], { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })

test('the launcher runs from any folder, and looks for its data there', async () => {
  expect(await start(launcher, ['--version'])).toEqual({ code: 0, out: '0.1.0\n', err: '' })
  const listed = await start(launcher, ['tenant', 'list'])
  expect([listed.code, listed.out]).toEqual([1, ''])
  expect(listed.err).toContain('.ringfence/api.json')
  expect(listed.err).not.toContain(fileURLToPath(new URL('../../..', import.meta.url)))
})

test('the launcher runs through relative and absolute symbolic links, with arguments as they are', async () => {
  await symlink(launcher, join(folder, 'absolute'))
  await symlink('./absolute', join(folder, 'relative link'))
  const ran = await start(join(folder, 'relative link'), ['tenant', 'get', 'a b', '*', '--server', ''])
  expect([ran.code, ran.out]).toEqual([2, ''])
  expect((await start(join(folder, 'relative link'), ['--version'])).out).toBe('0.1.0\n')
})
