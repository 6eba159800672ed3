/** An authority on disk stays the same, is private, and is never quietly replaced. */
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openAuthority } from '../../../src/embedded/authority.ts'
import { issue } from '../../../src/embedded/certificate.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ringfence-authority-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

describe('an authority in a folder', () => {
  test('is the same at the next start, and verifies what it signed before', async () => {
    const first = await openAuthority(dir, 'ca')
    const signed = issue(first, { commonName: 'x', use: ['client'] })
    const second = await openAuthority(dir, 'ca')
    expect(second).toEqual(first)
    expect(new X509Certificate(signed.cert).verify(new X509Certificate(second.cert).publicKey)).toBe(true)
    for (const file of ['ca.crt', 'ca.key']) expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600)
  })

  test('whose making was cut short after the key is made anew', async () => {
    await openAuthority(dir, 'ca')
    await rm(join(dir, 'ca.crt'))
    const made = await openAuthority(dir, 'ca')
    expect(made.cert).toBe(await readFile(join(dir, 'ca.crt'), 'utf8'))
    expect(made.key).toBe(await readFile(join(dir, 'ca.key'), 'utf8'))
  })

  test('that is damaged, without its key, with another key, or under another name is refused and left as it is', async () => {
    const { cert } = await openAuthority(dir, 'ca')
    const other = await openAuthority(dir, 'other')
    const certFile = join(dir, 'ca.crt')
    const refused = { code: 'Unreadable', facts: { path: certFile } }
    await writeFile(certFile, cert.slice(0, 200))
    await expect(openAuthority(dir, 'ca')).rejects.toMatchObject(refused)
    await writeFile(certFile, other.cert)
    await expect(openAuthority(dir, 'ca')).rejects.toMatchObject(refused)
    await writeFile(certFile, cert)
    await expect(openAuthority(dir, 'ca')).resolves.toMatchObject({ cert })
    await writeFile(join(dir, 'ca.key'), other.key)
    await expect(openAuthority(dir, 'ca')).rejects.toMatchObject(refused)
    await rm(join(dir, 'ca.key'))
    await expect(openAuthority(dir, 'ca')).rejects.toMatchObject(refused)
    expect(await readFile(certFile, 'utf8')).toBe(cert)
  })
})
