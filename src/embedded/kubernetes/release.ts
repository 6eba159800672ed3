/**
 * Which Kubernetes this is, and how to ask a program whether it is of that version. `build/go.mod` pins the same
 * versions; a test compares them.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export const kubernetesVersion = 'v1.35.4'
export const etcdVersion = '3.6.5'

/** In the order in which they are needed. */
export const programs = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const
export type Program = (typeof programs)[number]

/** Paths of the four programs. */
export type KubernetesPrograms = { readonly [program in Program]: string }

/** The version that a program of this name must report. */
export const wantedVersion = (program: Program): string => (program === 'etcd' ? etcdVersion : kubernetesVersion)

/** Runs the program and answers the version it reports, or undefined where it cannot run or says something else. */
export async function reportedVersion(program: Program, path: string): Promise<string | undefined> {
  const args = program === 'kubectl' ? ['version', '--client'] : ['--version']
  const pattern = program === 'etcd' ? /^etcd Version: (\S+)$/m : /^(?:Kubernetes|Client Version:) (v\S+)$/m
  try {
    const { stdout } = await promisify(execFile)(path, args, { timeout: 20_000, killSignal: 'SIGKILL' })
    return pattern.exec(stdout)?.[1]
  } catch {
    return undefined
  }
}
