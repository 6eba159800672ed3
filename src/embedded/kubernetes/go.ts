/**
 * A Go tool that can build our module. From Go 1.21 on, Go fetches the toolchain that a module asks for by itself;
 * older ones, as distributions ship them, can fetch it like any module, and need help with the last step only.
 */
import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { RingfenceError } from '../../model/errors.ts'
import { superviseToEnd } from '../supervised.ts'

export interface GoOptions {
  readonly env: NodeJS.ProcessEnv
  /** A folder of ours for logs and temporary files. */
  readonly scratch: string
  readonly progress: (message: string) => void
  readonly signal?: AbortSignal
}

/** The toolchain that an older Go is given; Go checks it against its checksum database. */
const fetchedRelease = 'go1.26.8'
/** Minor versions of Go 1: modules work as we use them, and a toolchain fetches another. */
const [oldestUsable, helpsItself] = [16, 21]

/** What Go is told on every call, whatever the user's settings for work of their own are. */
export function goEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...env,
    CGO_ENABLED: '0',
    GO111MODULE: 'on',
    GOWORK: 'off',
    GOFLAGS: '-buildvcs=false',
    GOOS: '',
    GOARCH: '',
    GOROOT: '',
    // Distributions switch this off in Go's own configuration; our module names the version that it needs.
    GOTOOLCHAIN: env['GOTOOLCHAIN'] ?? 'auto',
  }
}

/** The version of this Go, such as `go1.26.8`. Throws NotConfigured where it does not run or is not Go. */
async function goVersion(go: string, env: NodeJS.ProcessEnv): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(go, ['version'], { env, timeout: 20_000 })
    const version = /\bgo\d+\.\d+\S*/.exec(stdout)?.[0]
    if (version === undefined) throw new Error(`it says ${stdout.slice(0, 100)}`)
    return version
  } catch (error) {
    throw new RingfenceError('NotConfigured', `${go} is not a Go that runs: ${(error as Error).message}`, {}, error)
  }
}

/** Modules are kept without the permission to be run; Go itself does the same for the toolchains that it fetches. */
async function makeExecutable(toolchain: string): Promise<void> {
  const folders = [join(toolchain, 'bin'), join(toolchain, 'pkg', 'tool')]
  for (const folder of folders) {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), 0o755)
    }
  }
}

async function fetchToolchain(go: string, installed: string, options: GoOptions): Promise<string> {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const module = `golang.org/toolchain@v0.0.1-${fetchedRelease}.${process.platform}-${arch}`
  const env = { ...goEnvironment(options.env), GOFLAGS: '-mod=mod' }
  const cache = (await promisify(execFile)(go, ['env', 'GOMODCACHE'], { env, timeout: 20_000 })).stdout.trim()
  const toolchain = join(cache, module)
  const fetched = join(toolchain, 'bin', 'go')
  if ((await goVersion(fetched, env).catch(() => undefined)) === fetchedRelease) return fetched
  options.progress(`fetching ${fetchedRelease}, since the one installed is ${installed}`)
  const cwd = join(options.scratch, '.go.tmp')
  try {
    await mkdir(cwd, { recursive: true, mode: 0o700 })
    await writeFile(join(cwd, 'go.mod'), 'module fetch\n')
    const command = { id: 'fetch-go', command: go, args: ['mod', 'download', module], cwd, env }
    await superviseToEnd(
      options.scratch,
      { ...command, stopSignal: 'SIGINT', graceMs: 5000, group: true },
      options.signal,
    )
    await makeExecutable(toolchain)
    return fetched
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
}

/**
 * A path to a Go that can build our module: the one given, or one that it fetched. Throws NotConfigured where the one
 * given does not run or is too old even for that, BackendFault where it could not fetch.
 */
export async function usableGo(go: string, options: GoOptions): Promise<string> {
  const version = await goVersion(go, goEnvironment(options.env))
  const [major = 0, minor = 0] = version
    .slice(2)
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  if (major > 1 || minor >= helpsItself) return go
  if (minor >= oldestUsable) return await fetchToolchain(go, version, options)
  const wanted = `go1.${oldestUsable} is the oldest that can build Kubernetes`
  throw new RingfenceError('NotConfigured', `${go} is ${version}; ${wanted}`)
}
