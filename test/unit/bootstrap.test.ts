/** The bootstrap in a repository of its own with a fake npm: what it installs, when, and what it passes on. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ringfence-bootstrap-'))
  for (const folder of ['bin', 'tools']) await mkdir(join(dir, folder))
  await cp(join(import.meta.dirname, '../../bin/bootstrap.mjs'), join(dir, 'bin/bootstrap.mjs'))
  await writeFile(join(dir, 'package-lock.json'), JSON.stringify(lockFile('1.0.0')))
  await command('console.log(JSON.stringify(process.argv.slice(2)))')
  await npm(`fs.rmSync('node_modules', { recursive: true, force: true })
    fs.mkdirSync('node_modules/.bin', { recursive: true })
    fs.mkdirSync('node_modules/a')
    fs.writeFileSync('node_modules/a/package.json', '{}')
    fs.symlinkSync(process.execPath, 'node_modules/.bin/node')
    const list = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'))
    delete list.packages['']
    delete list.packages['node_modules/elsewhere']
    fs.writeFileSync('node_modules/.package-lock.json', JSON.stringify(list))`)
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

const lockFile = (version: string): object => ({
  packages: {
    '': { name: 'x' },
    'node_modules/a': { version, integrity: `sha512-${version}` },
    'node_modules/elsewhere': { version, optional: true, os: ['plan9'] },
  },
})

const command = (source: string): Promise<void> => writeFile(join(dir, 'tools/check.ts'), source)

/** What `npm` does, after noting how it was called. */
const npm = (source: string): Promise<void> =>
  writeFile(
    join(dir, 'npm.cjs'),
    `const fs = require('node:fs'); fs.appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');\n${source}`,
  )

const npmCalls = async (): Promise<string[]> =>
  (await readFile(join(dir, 'npm-calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')

function start(...args: string[]): {
  child: ChildProcess
  output: () => string
  end: Promise<[number | null, string | null]>
} {
  const child = spawn(process.execPath, [join(dir, 'bin/bootstrap.mjs'), ...args], {
    env: { ...process.env, npm_execpath: join(dir, 'npm.cjs') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return { child, output: () => text, end: once(child, 'close') as Promise<[number | null, string | null]> }
}

async function run(...args: string[]): Promise<{ code: number | null; signal: string | null; output: string }> {
  const { end, output } = start(...args)
  const [code, signal] = await end
  return { code, signal, output: output() }
}

describe('bootstrap', () => {
  test('installs what the lock file names, says so in one line, and hands the arguments over', async () => {
    const first = await run('check', '--x', 'a b')
    expect(first).toMatchObject({ code: 0 })
    expect(first.output).toBe(
      'ringfence: installing the npm packages that package-lock.json names (once) …\n["--x","a b"]\n',
    )
    expect(await npmCalls()).toEqual([expect.stringMatching(/^ci /)])
  })

  test('installs once, and again when the lock file changed, a package is gone or an installation was cut short', async () => {
    await run('check')
    expect((await run('check')).output).toBe('[]\n')
    expect(await npmCalls()).toHaveLength(1)
    await writeFile(join(dir, 'package-lock.json'), JSON.stringify(lockFile('2.0.0')))
    await run('check')
    expect(await npmCalls()).toHaveLength(2)
    await rm(join(dir, 'node_modules/a'), { recursive: true })
    await run('check')
    expect(await npmCalls()).toHaveLength(3)
    await rm(join(dir, 'node_modules/.package-lock.json'))
    await run('check')
    expect(await npmCalls()).toHaveLength(4)
  })

  test('two at once install once', async () => {
    const [first, second] = await Promise.all([run('check'), run('check')])
    expect([first.code, second.code]).toEqual([0, 0])
    expect(await npmCalls()).toHaveLength(1)
  })

  test('takes the lock of a dead installation over', async () => {
    const child = spawn('true')
    await once(child, 'exit')
    await writeFile(join(dir, '.npm-ci.lock'), String(child.pid))
    expect((await run('check')).code).toBe(0)
    expect(await npmCalls()).toHaveLength(1)
  })

  test('says what npm said when it fails, and runs nothing', async () => {
    await npm("console.error('npm error 404 a'); process.exit(7)")
    const { code, output } = await run('check')
    expect(code).toBe(1)
    expect(output).toContain('npm error 404 a')
    expect(output).toContain('npm ci failed (7)')
    expect(output).not.toContain('[]')
  })

  test('keeps the exit code', async () => {
    await command('process.exit(3)')
    expect((await run('check')).code).toBe(3)
    expect((await run('nonsense')).code).toBe(2)
  })

  test('passes a signal on, and lets the command end in its own way', async () => {
    await command("process.on('SIGTERM', () => process.exit(5)); console.log('up'); setInterval(() => {}, 1000)")
    const { child, output, end } = start('check')
    await expect.poll(output, { timeout: 20_000 }).toContain('up')
    child.kill('SIGTERM')
    expect(await end).toEqual([5, null])
  })

  test('ends by the signal that ended the command', async () => {
    await command("process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)")
    expect(await run('check')).toMatchObject({ code: null, signal: 'SIGTERM' })
  })

  test('takes the Node of the packages before the one that runs it', async () => {
    await run('check')
    await rm(join(dir, 'node_modules/.bin/node'))
    await writeFile(
      join(dir, 'node24'),
      `#!/bin/sh\n[ "$1" = --version ] && exec echo v24.99.0\nexec ${process.execPath} "$@" from-packages\n`,
      { mode: 0o755 },
    )
    await symlink(join(dir, 'node24'), join(dir, 'node_modules/.bin/node'))
    expect((await run('check')).output).toBe('["from-packages"]\n')
  })
})
