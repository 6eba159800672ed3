/**
 * Builds the programs from their published Go modules, as pinned with checksums in `build/go.mod` and `go.sum`.
 * Needs the stock Go tools, and the module proxy for what is not in Go's own cache.
 */
import { cp, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { superviseToEnd } from '../supervised.ts'
import { goEnvironment, type GoOptions } from './go.ts'
import { kubernetesVersion, type Program } from './release.ts'

const moduleFolder = join(dirname(fileURLToPath(import.meta.url)), 'build')

const packages: { readonly [program in Program]: string } = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
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

/**
 * Builds one program to `target`, with the Go at `go`, which must pass `usableGo`. Ends with this process, however that
 * ends. Throws BackendFault with what Go said.
 */
export async function build(program: Program, target: string, go: string, options: GoOptions): Promise<void> {
  // Both are in the scratch folder, where the next start removes what a killed one left.
  const source = join(options.scratch, '.source.tmp')
  const work = join(options.scratch, '.work.tmp')
  const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', versionFlags(), '-o', target, packages[program]]
  const env = { ...goEnvironment(options.env), GOTMPDIR: work }
  try {
    for (const folder of [source, work]) await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const file of ['go.mod', 'go.sum']) await cp(join(moduleFolder, file), join(source, file))
    // Go tidies up on an interrupt only.
    const stop = { stopSignal: 'SIGINT', graceMs: 5000, group: true } as const
    await superviseToEnd(
      options.scratch,
      { id: `build-${program}`, command: go, args, cwd: source, env, ...stop },
      options.signal,
    )
  } finally {
    for (const folder of [source, work]) await rm(folder, { recursive: true, force: true })
  }
}
