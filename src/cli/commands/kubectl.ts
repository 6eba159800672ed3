/**
 * `kubectl …` against the embedded cluster, as the break-glass user of that cluster. Finds a kubectl, sets KUBECONFIG
 * and steps aside; the person's own kubeconfig is never read, so no other cluster can be meant by mistake.
 */
import { spawn } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { RingfenceError } from '../../model/errors.ts'
import { dataDirOf } from '../connection.ts'
import { say } from '../io.ts'
import type { Io } from '../io.ts'

export interface KubectlOptions {
  readonly dataDir?: string
  readonly verbose?: boolean
}

const usable = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  )

/** The named assets first, then PATH, then what the embedded cluster fetched or built. */
async function findKubectl(env: Io['env']): Promise<string> {
  const { cacheFolder } = await import('../../embedded/folder.ts')
  const { kubernetesVersion } = await import('../../embedded/kubernetes/release.ts')
  const assets = env['RINGFENCE_KUBE_ASSETS']
  const folders = [
    ...(assets === undefined || assets === '' ? [] : [assets]),
    ...(env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    join(cacheFolder('kubernetes', env), kubernetesVersion),
  ]
  for (const folder of folders) {
    const path = join(folder, 'kubectl')
    if (await usable(path, constants.X_OK)) return path
  }
  throw new RingfenceError(
    'NotConfigured',
    'There is no kubectl: none on PATH, and the embedded cluster has not fetched one yet.\nStart it with: ringfence up',
  )
}

/** Runs kubectl and answers its exit code; 128 + the signal's number when it was killed, as a shell does. */
export async function kubectl(io: Io, args: readonly string[], options: KubectlOptions): Promise<number> {
  const kubeconfig = join(dataDirOf(io, options), 'kubernetes', 'break-glass.kubeconfig')
  if (!(await usable(kubeconfig, constants.R_OK))) {
    throw new RingfenceError(
      'NotConfigured',
      `There is no embedded cluster here: no ${kubeconfig}.\nStart one with: ringfence up\nFor a cluster of your own, use kubectl with its own context.`,
    )
  }
  const program = await findKubectl(io.env)
  if (options.verbose === true) say(io.stderr, `kubectl: ${program}, kubeconfig: ${kubeconfig}`)
  const child = spawn(program, [...args], { stdio: 'inherit', cwd: io.cwd, env: { ...io.env, KUBECONFIG: kubeconfig } })
  const stop = (): void => void child.kill('SIGTERM')
  io.signal.addEventListener('abort', stop, { once: true })
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error) =>
        reject(new RingfenceError('NotConfigured', `${program} cannot be run.`, {}, error)),
      )
      child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)))
    })
  } finally {
    io.signal.removeEventListener('abort', stop)
  }
}
