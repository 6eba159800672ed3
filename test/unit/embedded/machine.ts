/**
 * A machine to get Kubernetes programs on, with tiny scripts in their place: an empty cache, a PATH of its own, a `go`
 * that copies, and a release server.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Origins } from '../../../src/embedded/kubernetes/download.ts'
import { kubernetesVersion, programs, wantedVersion, type Program } from '../../../src/embedded/kubernetes/release.ts'

/** Port 9 of loopback: nothing listens there, so a download is refused at once. */
export const closedNetwork: Origins = { kubernetes: 'http://127.0.0.1:9', etcd: 'http://127.0.0.1:9' }

function says(program: Program, version: string): string {
  if (program === 'etcd') return `etcd Version: ${version}`
  return program === 'kubectl' ? `Client Version: ${version}` : `Kubernetes ${version}`
}

/** A program that does nothing but say its version. */
export const script = (program: Program, version = wantedVersion(program)): string =>
  `#!/bin/sh\necho '${says(program, version)}'\n`

export async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  await chmod(path, 0o755)
}

export const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A machine without anything; removed at the end of its scope. */
export class Machine implements AsyncDisposable {
  readonly dir: string
  readonly bin: string
  readonly cache: string
  #server: Server | undefined

  private constructor(dir: string) {
    this.dir = dir
    this.bin = join(dir, 'bin')
    this.cache = join(dir, 'cache', 'kubernetes', kubernetesVersion)
  }

  static async make(): Promise<Machine> {
    const machine = new Machine(await mkdtemp(join(tmpdir(), 'ringfence-acquire-')))
    await mkdir(machine.bin)
    return machine
  }

  environment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { RINGFENCE_CACHE: join(this.dir, 'cache'), PATH: `${this.bin}:/usr/bin:/bin`, ...extra }
  }

  /** Installs a `go` that "builds" by copying what `sources` holds, and notes each build. `before` is shell. */
  async installGo(version = 'go1.26.0', before = ''): Promise<void> {
    for (const program of programs) await put(join(this.dir, 'sources', program), script(program))
    const lines = [
      '#!/bin/sh',
      `if [ "$1" = version ]; then echo "go version ${version} linux/amd64"; exit 0; fi`,
      'while [ "$1" != -o ]; do shift; done',
      'program=$(echo "$3" | sed \'s|go.etcd.io/etcd/server/v3|etcd|; s|.*/||\')',
      `echo "$program" >> ${join(this.dir, 'built')}`,
      before,
      `cp ${join(this.dir, 'sources')}/$program "$2"`,
    ]
    await put(join(this.bin, 'go'), `${lines.join('\n')}\n`)
  }

  /** Installs a Go 1.19 that cannot build, but fetch a newer one into its module cache, without execute permission. */
  async installOldGo(): Promise<void> {
    await this.installGo(
      '$(basename "$(dirname "$(dirname "$0")")" | sed "s/.*-go/go/; s/\\.linux.*//; s/\\.darwin.*//")',
    )
    const newer = join(this.dir, 'newer-go')
    await rename(join(this.bin, 'go'), newer)
    const lines = [
      '#!/bin/sh',
      'case "$1" in',
      'version) echo "go version go1.19.8 linux/amd64";;',
      `env) echo ${join(this.dir, 'modules')};;`,
      `mod) d=${join(this.dir, 'modules')}/$3; mkdir -p $d/bin $d/pkg/tool/x && cp ${newer} $d/bin/go && chmod 444 $d/bin/go;;`,
      '*) echo "go: unknown directive: tool" >&2; exit 1;;',
      'esac',
    ]
    await put(join(this.bin, 'go'), `${lines.join('\n')}\n`)
  }

  /** The programs that `go` was told to build, in order. */
  async built(): Promise<string[]> {
    const list = await readFile(join(this.dir, 'built'), 'utf8').catch(() => '')
    return list.split('\n').filter((line) => line !== '')
  }

  /** What is in the cache, apart from logs. */
  async kept(): Promise<string[]> {
    return (await readdir(this.cache)).filter((name) => !name.endsWith('.log')).sort()
  }

  /** A release server; `null` never answers; `asked` lists the paths that it was asked for. */
  async serve(
    answer: (path: string) => string | Buffer | null | undefined,
  ): Promise<{ origins: Origins; asked: string[] }> {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      const content = answer(request.url ?? '')
      if (content !== null) response.writeHead(content === undefined ? 404 : 200).end(content)
    })
    this.#server = server
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { origins: { kubernetes: origin, etcd: `${origin}/etcd` }, asked }
  }

  /** An archive as etcd releases it, with our script inside. */
  async etcdArchive(): Promise<{ name: string; content: Buffer }> {
    const release = `etcd-v${wantedVersion('etcd')}-linux-${process.arch === 'x64' ? 'amd64' : process.arch}`
    const folder = join(this.dir, 'archive')
    await put(join(folder, release, 'etcd'), script('etcd'))
    const [code] = (await once(spawn('tar', ['-czf', 'a.tar.gz', release], { cwd: folder }), 'exit')) as [number]
    if (code !== 0) throw new Error('tar failed')
    return { name: `${release}.tar.gz`, content: await readFile(join(folder, 'a.tar.gz')) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.close()
    this.#server?.closeAllConnections()
    await rm(this.dir, { recursive: true })
  }
}
