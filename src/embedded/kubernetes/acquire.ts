/** Finds the four Kubernetes programs. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { RingfenceError } from '../../model/errors.ts'
import { cacheFolder } from '../folder.ts'
import { kubernetesVersion, programs } from './release.ts'

export interface KubernetesPrograms {
  /** Folder that holds etcd, kube-apiserver, kube-controller-manager and kubectl. */
  readonly bin: string
}

export async function acquireKubernetes(_options: { readonly progress?: (message: string) => void; readonly signal?: AbortSignal } = {}): Promise<KubernetesPrograms> {
  const bin = process.env['RINGFENCE_KUBE_ASSETS'] ?? join(cacheFolder('kubernetes'), kubernetesVersion)
  for (const program of programs) {
    await access(join(bin, program)).catch((cause: unknown) => {
      throw new RingfenceError('NotConfigured', `${program} is not in ${bin}`, {}, cause)
    })
  }
  return { bin }
}
