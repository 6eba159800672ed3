/**
 * Makes a database cluster on disk: a template once per release (initdb takes a second), a copy of it per data
 * folder with a superuser password of its own. Nothing runs when this is done.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RingfenceError } from '../../model/errors.ts'
import { syncFolder } from '../folder.ts'
import { lock } from '../lock.ts'
import { giveTo, type Account } from './account.ts'
import type { PostgresBinaries } from './binaries.ts'
import { scramVerifier } from './scram.ts'

interface Program {
  readonly path: string
  readonly args: readonly string[]
  readonly input?: string
  readonly cwd: string
}

/** Runs one program to its end as the named account; what it wrote is the error's text. */
function runToEnd(account: Account, program: Program): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program.path, program.args, {
      cwd: program.cwd,
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      stdio: 'pipe',
      ...account.initdb,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)))
    child.stdin.on('error', () => undefined)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new RingfenceError('BackendFault', `${program.path} ended with ${code ?? signal}:\n${output}`))
    })
    child.stdin.end(program.input ?? '')
  })
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Makes a folder beside its final name and renames it when whole. */
async function whole(target: string, build: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${target}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await build(temporary)
    await rename(temporary, target)
    await syncFolder(join(target, '..'))
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

async function template(binaries: PostgresBinaries, account: Account): Promise<string> {
  const target = join(account.programs, `${binaries.release}.template`, 'data')
  if (await exists(target)) return target
  const folder = join(target, '..')
  await mkdir(folder, { recursive: true, mode: 0o711 })
  const held = await lock(join(account.programs, `${binaries.release}.template.lock`))
  try {
    if (await exists(target)) return target
    await whole(target, async (temporary) => {
      await mkdir(temporary, { mode: 0o700 })
      await giveTo(account.initdb, temporary)
      const passwordFile = join(folder, `${randomBytes(6).toString('hex')}.password`)
      await writeFile(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 })
      await giveTo(account.initdb, passwordFile)
      try {
        const options = ['--encoding', 'UTF8', '--no-locale', '--data-checksums', '--no-instructions', '--no-sync']
        const owner = ['--username', 'postgres', '--pwfile', passwordFile, '--auth', 'scram-sha-256']
        const args = ['--pgdata', temporary, ...owner, ...options]
        await runToEnd(account, { path: join(binaries.home, 'bin', 'initdb'), args, cwd: folder })
      } finally {
        await rm(passwordFile, { force: true })
      }
    })
    return target
  } finally {
    await held.release()
  }
}

/** Who may come in: over TLS, from this machine, with a password. */
const hostBasedAccess = `# Written by Ringfence.
local   all all                scram-sha-256
hostssl all all 127.0.0.1/32   scram-sha-256
hostssl all all ::1/128        scram-sha-256
`

/** Makes the cluster in `data` if it is not there, its superuser `postgres` having this password. */
export async function ensureCluster(
  binaries: PostgresBinaries,
  account: Account,
  data: string,
  password: string,
): Promise<void> {
  if (await exists(join(data, 'PG_VERSION'))) return
  const source = await template(binaries, account)
  await whole(data, async (temporary) => {
    await cp(source, temporary, { recursive: true })
    await chmod(temporary, 0o700)
    await giveTo(account.initdb, temporary)
    const args = ['--single', '-D', temporary, '-c', 'fsync=off', 'postgres']
    const input = `ALTER ROLE postgres PASSWORD '${scramVerifier(password)}'\n`
    await runToEnd(account, { path: join(binaries.home, 'bin', 'postgres'), args, input, cwd: temporary })
    await writeFile(join(temporary, 'pg_hba.conf'), hostBasedAccess, { mode: 0o600 })
    await giveTo(account.server, temporary)
  })
}
