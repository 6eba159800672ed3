/** The embedded servers are closed to other users of the machine, by network and by file. */
import { execFile } from 'node:child_process'
import { lstat, readdir, stat } from 'node:fs/promises'
import { connect } from 'node:tls'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { expect, test } from 'vitest'
import type { PostgresAccess } from '../../../src/model/backends.ts'
import { describeOn, servers } from '../../support/servers.ts'

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** Whether group or others may pass or read. */
const isOpen = async (path: string): Promise<boolean> => ((await lstat(path)).mode & 0o077) !== 0

/** What a TLS client with this certificate gets from an HTTPS request to the port. */
function request(port: number, certificate: { cert: string; key: string } | undefined): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...certificate })
    socket.once('secureConnect', () =>
      socket.write('GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
    )
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString().split('\r\n')[0] ?? ''))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('close', () => resolve('closed'))
  })
}

describeOn(['kubernetes'], 'embedded Kubernetes', () => {
  test('keeps every key, kubeconfig and byte of data from other users', async () => {
    const root = dirname(servers().kubernetes.kubeconfigs.admin)
    expect((await stat(root)).mode & 0o777).toBe(0o700)
    const secret = (await filesBelow(root)).filter((path) => /\.(key|kubeconfig)$/.test(path))
    expect(secret.length).toBeGreaterThanOrEqual(10)
    for (const path of secret) expect(await isOpen(path), path).toBe(false)
  })

  test('does not open etcd to nobody, nor to an administrator of the cluster', async () => {
    const { kubernetes } = servers()
    const root = dirname(kubernetes.kubeconfigs.admin)
    const { etcd } = JSON.parse(readFileSync(join(root, 'ports.json'), 'utf8')) as { etcd: number }
    const own = {
      cert: readFileSync(join(root, 'pki/etcd-client.crt'), 'utf8'),
      key: readFileSync(join(root, 'pki/etcd-client.key'), 'utf8'),
    }
    expect(await request(etcd, own)).toBe('HTTP/1.1 200 OK')
    expect(await request(etcd, undefined)).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')
    expect(await request(etcd, kubernetes.admin.certificate)).toMatch(/^ERR_SSL_.*(BAD_CERTIFICATE|UNKNOWN_CA)/)
  })
})

async function attempt(
  access: PostgresAccess,
  change: { password?: string | undefined; ssl?: boolean },
): Promise<string> {
  const { tls: _, ca, ...connection } = access
  const client = new pg.Client({
    ...connection,
    ssl: change.ssl === false ? false : { ca: ca ?? '' },
    ...('password' in change ? { password: change.password } : {}),
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return 'accepted'
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).message
  } finally {
    await client.end().catch(() => undefined)
  }
}

for (const version of ['postgres18', 'postgres15'] as const) {
  describeOn([version], `embedded ${version}`, () => {
    test('lets in with the password over checked TLS, and not without either', async () => {
      const access = servers()[version]
      expect(await attempt(access, {})).toBe('accepted')
      expect(await attempt(access, { password: 'wrong' })).toBe('28P01')
      expect(await attempt(access, { password: '' })).toMatch(/password|28P01/)
      expect(await attempt(access, { ssl: false })).toBe('28000')
    })

    test('listens on loopback only, has no Unix socket, and keeps SCRAM verifiers', async () => {
      const { tls: _, ca, ...connection } = servers()[version]
      const client = new pg.Client({ ...connection, ssl: { ca: ca ?? '' } })
      await client.connect()
      try {
        const setting = async (name: string): Promise<unknown> =>
          (await client.query(`SELECT current_setting('${name}') AS value`)).rows[0].value
        expect(await setting('listen_addresses')).toBe('127.0.0.1')
        expect(await setting('unix_socket_directories')).toBe('')
        const { rows } = await client.query(
          "SELECT rolpassword LIKE 'SCRAM-SHA-256$4096:%' AS scram FROM pg_authid WHERE rolcanlogin",
        )
        // Other files may have made logins of theirs meanwhile.
        expect(rows.length).toBeGreaterThan(0)
        expect(rows.filter((row: { scram: boolean }) => !row.scram)).toEqual([])
        const rules = await client.query('SELECT DISTINCT auth_method FROM pg_hba_file_rules')
        expect(rules.rows).toEqual([{ auth_method: 'scram-sha-256' }])
        const unencrypted = await client.query(
          "SELECT 1 FROM pg_hba_file_rules WHERE type IN ('host', 'hostnossl') OR error IS NOT NULL",
        )
        expect(unencrypted.rows).toEqual([])
      } finally {
        await client.end()
      }
    })

    test('keeps its data and password from other users', async () => {
      const { tls: _, ca, ...connection } = servers()[version]
      const client = new pg.Client({ ...connection, ssl: { ca: ca ?? '' } })
      await client.connect()
      const data = String((await client.query("SELECT current_setting('data_directory') AS dir")).rows[0].dir)
      await client.end()
      const folder = dirname(data)
      expect(await isOpen(data)).toBe(false)
      expect(await isOpen(join(folder, 'tls'))).toBe(false)
      expect(await isOpen(join(folder, 'superuser.password'))).toBe(false)
      if (process.getuid?.() !== 0) return
      // As root we can be another user: neither its files nor, with a number of its own, the server's account is theirs.
      const other = { uid: 65_534, gid: 65_534 }
      const read = (path: string): Promise<unknown> => promisify(execFile)('cat', [path], other)
      await expect(read('/etc/passwd')).resolves.toBeDefined()
      await expect(read(join(data, 'PG_VERSION'))).rejects.toThrow(/Permission denied/)
      await expect(read(join(folder, 'superuser.password'))).rejects.toThrow(/Permission denied/)
      await expect(read(join(folder, 'tls', 'server.key'))).rejects.toThrow(/Permission denied/)
    })
  })
}
