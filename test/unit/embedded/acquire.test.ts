/**
 * How the Kubernetes programs are got, with tiny scripts in their place: the order of sources, checksums, a closed
 * network, and what an interruption leaves.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acquireKubernetes } from '../../../src/embedded/kubernetes/acquire.ts'
import { kubernetesVersion, programs, wantedVersion, type Program } from '../../../src/embedded/kubernetes/release.ts'
import type { Origins } from '../../../src/embedded/kubernetes/download.ts'

let dir: string
let cache: string
let bin: string
let server: Server | undefined
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ringfence-acquire-'))
  cache = join(dir, 'cache', 'kubernetes', kubernetesVersion)
  bin = join(dir, 'bin')
  await mkdir(bin, { recursive: true })
})
afterEach(async () => {
  server?.close()
  server?.closeAllConnections()
  server = undefined
  await rm(dir, { recursive: true })
})

/** Port 9 of loopback: nothing listens there, so a download is refused at once. */
const closedNetwork: Origins = { kubernetes: 'http://127.0.0.1:9', etcd: 'http://127.0.0.1:9' }

const says = (program: Program, version = wantedVersion(program)): string => {
  if (program === 'etcd') return `etcd Version: ${version}`
  return program === 'kubectl' ? `Client Version: ${version}` : `Kubernetes ${version}`
}
const script = (program: Program, version?: string): string => `#!/bin/sh\necho '${says(program, version)}'\n`

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content, { mode: 0o755 })
  await chmod(path, 0o755)
}

/** A `go` that "builds" by copying what `sources` holds, and writes each build into a list. */
async function fakeGo(version = 'go1.26.0', before = ''): Promise<void> {
  const folder = join(dir, 'sources')
  for (const program of programs) await put(join(folder, program), script(program))
  await put(
    join(bin, 'go'),
    `#!/bin/sh
if [ "$1" = version ]; then echo "go version ${version} linux/amd64"; exit 0; fi
while [ "$1" != -o ]; do shift; done
program=$(echo "$3" | sed 's|go.etcd.io/etcd/server/v3|etcd|; s|.*/||')
echo "$program" >> ${join(dir, 'built')}
${before}
cp ${folder}/$program "$2"
`,
  )
}

const built = async (): Promise<string[]> => (await readFile(join(dir, 'built'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
const environment = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ RINGFENCE_CACHE: join(dir, 'cache'), PATH: `${bin}:/usr/bin:/bin`, ...extra })
const kept = async (): Promise<string[]> => (await readdir(cache)).filter((name) => !name.endsWith('.log')).sort()

describe('the sources of the Kubernetes programs', () => {
  test('a folder that the user names is taken as it is, and wins', async () => {
    await fakeGo()
    const folder = join(dir, 'mine')
    for (const program of programs) await put(join(folder, program), script(program, 'v1.34.1'))
    const found = await acquireKubernetes({ env: environment({ RINGFENCE_KUBE_ASSETS: folder }), origins: closedNetwork })
    expect(found).toEqual(Object.fromEntries(programs.map((program) => [program, join(folder, program)])))
    expect(await built()).toEqual([])
  })

  test('a folder that the user names and that lacks a program is refused by that name, not filled', async () => {
    await fakeGo()
    const folder = join(dir, 'mine')
    for (const program of programs.slice(0, 2)) await put(join(folder, program), script(program))
    await expect(acquireKubernetes({ env: environment({ RINGFENCE_KUBE_ASSETS: folder }), origins: closedNetwork })).rejects.toMatchObject({
      code: 'NotConfigured',
      facts: { program: 'kube-controller-manager' },
    })
    expect(await built()).toEqual([])
  })

  test('a program on PATH is taken only if it has the pinned version', async () => {
    await fakeGo()
    await put(join(bin, 'etcd'), script('etcd'))
    await put(join(bin, 'kube-apiserver'), script('kube-apiserver', 'v1.33.0'))
    const found = await acquireKubernetes({ env: environment(), origins: closedNetwork })
    expect(found.etcd).toBe(join(bin, 'etcd'))
    expect(found['kube-apiserver']).toBe(join(cache, 'kube-apiserver'))
    expect(await built()).not.toContain('etcd')
  })

  test('what the network does not give is built, in order, with progress, and kept', async () => {
    await fakeGo()
    const told: string[] = []
    const found = await acquireKubernetes({ env: environment(), origins: closedNetwork, progress: (message) => told.push(message) })
    expect(found).toEqual(Object.fromEntries(programs.map((program) => [program, join(cache, program)])))
    expect(await built()).toEqual([...programs])
    expect(told).toEqual(['downloading etcd (1 of 4)', ...programs.map((program, index) => `building ${program} (${index + 1} of 4)`)])
    expect(await kept()).toEqual([...programs].sort())
    await acquireKubernetes({ env: environment(), origins: closedNetwork, progress: (message) => told.push(message) })
    expect(told).toHaveLength(5)
  })

  test('two at once build each program once', async () => {
    await fakeGo('go1.26.0', 'sleep 0.2')
    const both = [1, 2].map(() => acquireKubernetes({ env: environment(), origins: closedNetwork }))
    const [first, second] = await Promise.all(both)
    expect(first).toEqual(second)
    expect(await built()).toEqual([...programs])
  })

  test('without download and without Go it says what is missing and what to do', async () => {
    const failure = acquireKubernetes({ env: environment({ PATH: bin }), origins: closedNetwork })
    await expect(failure).rejects.toMatchObject({ code: 'NotConfigured', facts: { program: 'etcd' } })
    await expect(failure).rejects.toThrow(/no Go .*RINGFENCE_KUBE_ASSETS/s)
  })

  test('a Go that is too old is named with its version', async () => {
    await fakeGo('go1.19.8')
    const failure = acquireKubernetes({ env: environment(), origins: closedNetwork })
    await expect(failure).rejects.toMatchObject({ code: 'NotConfigured' })
    await expect(failure).rejects.toThrow(/go1\.19/)
  })

  test('a build that fails is told with what Go said, and leaves nothing', async () => {
    await fakeGo('go1.26.0', 'echo "module lookup disabled" >&2; exit 1')
    const failure = acquireKubernetes({ env: environment(), origins: closedNetwork })
    await expect(failure).rejects.toMatchObject({ code: 'BackendFault', facts: { program: 'etcd' } })
    await expect(failure).rejects.toThrow(/module lookup disabled/)
    expect(await kept()).toEqual([])
  })

  test('a build that makes another version is not used', async () => {
    await fakeGo()
    await put(join(dir, 'sources', 'etcd'), script('etcd', '3.5.0'))
    await expect(acquireKubernetes({ env: environment(), origins: closedNetwork })).rejects.toMatchObject({ code: 'Unreadable', facts: { program: 'etcd' } })
    expect(await kept()).toEqual([])
  })
})

describe('healing', () => {
  test('a truncated and a wrong program are thrown away and made anew, the sound ones kept', async () => {
    await fakeGo()
    await acquireKubernetes({ env: environment(), origins: closedNetwork })
    await truncate(join(cache, 'kube-apiserver'), 7)
    await put(join(cache, 'kubectl'), script('kubectl', 'v1.30.0'))
    await put(join(cache, '.etcd.abcd.tmp'), 'half')
    await acquireKubernetes({ env: environment(), origins: closedNetwork })
    expect((await built()).slice(4)).toEqual(['kube-apiserver', 'kubectl'])
    expect(await kept()).toEqual([...programs].sort())
    expect(await readFile(join(cache, 'kube-apiserver'), 'utf8')).toBe(script('kube-apiserver'))
  })

  test('a start killed in the middle of a build leaves no process, and the next start finishes the work', async () => {
    await fakeGo('go1.26.0', `if [ $program = kube-apiserver ] && [ ! -e ${join(dir, 'again')} ]; then touch ${join(dir, 'again')}; echo $$ > ${join(dir, 'pid')}; sleep 300; fi`)
    const source = `import { acquireKubernetes } from ${JSON.stringify(join(import.meta.dirname, '../../../src/embedded/kubernetes/acquire.ts'))}
      await acquireKubernetes({ origins: ${JSON.stringify(closedNetwork)} })`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], { env: environment(), stdio: 'ignore' })
    const building = async (): Promise<number> => Number(await readFile(join(dir, 'pid'), 'utf8').catch(() => '0'))
    await expect.poll(building, { timeout: 20_000 }).toBeGreaterThan(0)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const pid = await building()
    await expect.poll(() => alive(pid), { timeout: 15_000 }).toBe(false)
    await acquireKubernetes({ env: environment(), origins: closedNetwork })
    expect(await built()).toEqual(['etcd', 'kube-apiserver', ...programs.slice(1)])
    expect(await kept()).toEqual([...programs].sort())
  })

  test('an aborted build stops and is not taken for done', async () => {
    await fakeGo('go1.26.0', `echo $$ > ${join(dir, 'pid')}; sleep 300`)
    const abort = new AbortController()
    const failure = acquireKubernetes({ env: environment(), origins: closedNetwork, signal: abort.signal })
    failure.catch(() => undefined)
    await expect.poll(() => readFile(join(dir, 'pid'), 'utf8').catch(() => ''), { timeout: 20_000 }).not.toBe('')
    abort.abort(new Error('enough'))
    await expect(failure).rejects.toThrow('enough')
    expect(alive(Number(await readFile(join(dir, 'pid'), 'utf8')))).toBe(false)
    expect(await kept()).toEqual([])
  })
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function serve(answer: (path: string) => string | Buffer | 'hang' | undefined): Promise<{ origins: Origins; asked: string[] }> {
  const asked: string[] = []
  server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const content = answer(request.url ?? '')
    if (content === 'hang') return
    response.writeHead(content === undefined ? 404 : 200).end(content)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origins: { kubernetes: origin, etcd: `${origin}/etcd` }, asked }
}

const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')

async function etcdArchive(): Promise<{ name: string; content: Buffer }> {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const release = `etcd-v${wantedVersion('etcd')}-linux-${arch}`
  await put(join(dir, 'archive', release, 'etcd'), script('etcd'))
  const [code] = (await once(spawn('tar', ['-czf', 'a.tar.gz', release], { cwd: join(dir, 'archive') }), 'exit')) as [number]
  expect(code).toBe(0)
  return { name: `${release}.tar.gz`, content: await readFile(join(dir, 'archive', 'a.tar.gz')) }
}

describe.runIf(process.platform === 'linux')('downloads', () => {
  test('whose SHA-256 is right are used, and nothing is built', async () => {
    await fakeGo()
    const etcd = await etcdArchive()
    const { origins } = await serve((path) => {
      if (path.endsWith('/SHA256SUMS')) return `${'0'.repeat(64)}  other.tar.gz\n${digest(etcd.content)}  ${etcd.name}\n`
      if (path.endsWith(etcd.name)) return etcd.content
      const program = programs.find((name) => path.replace(/\.sha256$/, '').endsWith(`/${name}`))
      if (program === undefined) return undefined
      return path.endsWith('.sha256') ? digest(script(program)) : script(program)
    })
    const found = await acquireKubernetes({ env: environment(), origins })
    expect(found.etcd).toBe(join(cache, 'etcd'))
    expect(await built()).toEqual([])
    expect(await kept()).toEqual([...programs].sort())
  })

  test('whose SHA-256 is wrong are thrown away, and the program is built', async () => {
    await fakeGo()
    const etcd = await etcdArchive()
    const { origins, asked } = await serve((path) => (path.endsWith('/SHA256SUMS') ? `${'ab'.repeat(32)}  ${etcd.name}\n` : etcd.content))
    await acquireKubernetes({ env: environment(), origins })
    expect(asked.some((path) => path.endsWith(etcd.name))).toBe(true)
    expect(await built()).toEqual([...programs])
    expect(await readFile(join(cache, 'etcd'), 'utf8')).toBe(script('etcd'))
  })

  test('without a published SHA-256 are not even fetched', async () => {
    await fakeGo()
    const etcd = await etcdArchive()
    const { origins, asked } = await serve((path) => (path.endsWith('/SHA256SUMS') ? `${'ab'.repeat(32)}  other\n` : etcd.content))
    await acquireKubernetes({ env: environment(), origins })
    expect(asked).toEqual([expect.stringMatching(/SHA256SUMS$/)])
    expect(await built()).toEqual([...programs])
  })

  test('from a server that never answers are given up within seconds, once', async () => {
    await fakeGo()
    const { origins, asked } = await serve(() => 'hang')
    const before = Date.now()
    await acquireKubernetes({ env: environment(), origins })
    expect(Date.now() - before).toBeLessThan(12_000)
    expect(asked).toHaveLength(1)
    expect(await built()).toEqual([...programs])
  })
})

test('the module that is built pins the versions that are asked for', async () => {
  const module = await readFile(join(import.meta.dirname, '../../../src/embedded/kubernetes/build/go.mod'), 'utf8')
  expect(module).toMatch(new RegExp(`^\\s*k8s\\.io/kubernetes ${kubernetesVersion.replaceAll('.', '\\.')}`, 'm'))
  expect(module).toMatch(new RegExp(`^\\s*go\\.etcd\\.io/etcd/server/v3 v${wantedVersion('etcd').replaceAll('.', '\\.')}`, 'm'))
})
