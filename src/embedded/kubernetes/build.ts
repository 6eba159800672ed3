/**
 * Builds the programs from their published Go modules, as pinned with checksums in `build/go.mod` and `go.sum`.
 * Needs the stock Go tools, and the module proxy for what is not in Go's own cache.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RingfenceError } from '../../model/errors.ts'
import { SupervisedSet } from '../supervised.ts'
import { kubernetesVersion, type Program } from './release.ts'

const moduleFolder = join(dirname(fileURLToPath(import.meta.url)), 'build')

const packages: { readonly [program in Program]: string } = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
}

/** From Go 1.21 on, Go fetches the toolchain that a module asks for by itself. */
const oldestGo = 21

/** The `go` to build with, or undefined where there is none. Throws where it is too old to help itself. */
export async function goVersion(go: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  let output: string
  try {
    output = (await promisify(execFile)(go, ['version'], { env, timeout: 20_000 })).stdout
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new RingfenceError('NotConfigured', `${go} cannot be run: ${(error as Error).message}`, {}, error)
  }
  const version = /\bgo(\d+)\.(\d+)\S*/.exec(output)
  if (version === null) throw new RingfenceError('NotConfigured', `${go} is not the Go tool: ${output.slice(0, 100)}`)
  if (Number(version[1]) === 1 && Number(version[2]) < oldestGo) {
    throw new RingfenceError('NotConfigured', `Go is ${version[0]}; building Kubernetes needs go1.${oldestGo} or newer`)
  }
  return version[0]
}

function buildEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...env,
    CGO_ENABLED: '0',
    GO111MODULE: 'on',
    GOWORK: 'off',
    GOFLAGS: '-buildvcs=false',
    GOOS: '',
    GOARCH: '',
    // Distributions switch this off in Go's own configuration; our module names the version that it needs.
    GOTOOLCHAIN: env['GOTOOLCHAIN'] ?? 'auto',
  }
}

/** Clients parse the version that the API server reports, so the build has to set it as upstream's scripts do. */
function versionFlags(): string {
  const [major, minor] = kubernetesVersion.slice(1).split('.')
  const facts = {
    gitVersion: kubernetesVersion,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
  }
  return [
    '-s -w',
    ...Object.entries(facts).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`),
  ].join(' ')
}

export interface BuildOptions {
  readonly go: string
  readonly scratch: string
  readonly env: NodeJS.ProcessEnv
  readonly signal?: AbortSignal
}

/**
 * Builds one program to `target`. `scratch` is a folder of ours for the log and the note of what runs: the build ends
 * with this process, however that ends.
 */
export async function build(program: Program, target: string, options: BuildOptions): Promise<void> {
  // Both are in the scratch folder, where the next start removes what a killed one left.
  const source = join(options.scratch, '.source.tmp')
  const work = join(options.scratch, '.work.tmp')
  let set: SupervisedSet | undefined
  const cancel = (): void => void set?.stop()
  try {
    for (const folder of [source, work]) await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const file of ['go.mod', 'go.sum']) await cp(join(moduleFolder, file), join(source, file))
    options.signal?.throwIfAborted()
    set = await SupervisedSet.open(options.scratch)
    options.signal?.addEventListener('abort', cancel, { once: true })
    await set.runToEnd({
      id: `build-${program}`,
      command: options.go,
      args: ['build', '-mod=readonly', '-trimpath', '-ldflags', versionFlags(), '-o', target, packages[program]],
      cwd: source,
      env: { ...buildEnvironment(options.env), GOTMPDIR: work },
      // Go tidies up on an interrupt only.
      stopSignal: 'SIGINT',
      graceMs: 5000,
      group: true,
    })
  } catch (error) {
    options.signal?.throwIfAborted()
    throw error
  } finally {
    options.signal?.removeEventListener('abort', cancel)
    await set?.stop()
    for (const folder of [source, work]) await rm(folder, { recursive: true, force: true })
  }
}
