/**
 * Gets the four Kubernetes programs: named by the user, found on PATH, kept from before, downloaded, or built. What it
 * answers has run and said the right version; what is broken is thrown away and got anew.
 */
import { access, chmod, constants, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { randomBytes } from 'node:crypto'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { cacheFolder, syncFolder } from '../folder.ts'
import { lock } from '../lock.ts'
import { build } from './build.ts'
import { usableGo } from './go.ts'
import { download, officialOrigins, type Origins } from './download.ts'
import {
  kubernetesVersion,
  programs,
  reportedVersion,
  wantedVersion,
  type KubernetesPrograms,
  type Program,
} from './release.ts'

export interface AcquireOptions {
  /** Told in words what takes time: "building kube-apiserver (2 of 4)". */
  readonly progress?: (message: string) => void
  readonly signal?: AbortSignal
  /** Reads RINGFENCE_KUBE_ASSETS, RINGFENCE_CACHE, XDG_CACHE_HOME, PATH and Go's own variables. */
  readonly env?: NodeJS.ProcessEnv
  readonly origins?: Origins
}

interface Context {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly origins: Origins
  readonly progress: (message: string) => void
  readonly signal: AbortSignal | undefined
  /** Set once a download failed: the next program does not try again. */
  closed?: string
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name)
  }
  return undefined
}

const isRight = async (program: Program, path: string): Promise<boolean> =>
  (await reportedVersion(program, path)) === wantedVersion(program)

/** The programs of a folder that the user named. Its versions are the user's choice; it is never filled or mended. */
async function namedByUser(folder: string): Promise<KubernetesPrograms> {
  const found: [Program, string][] = await Promise.all(
    programs.map(async (program): Promise<[Program, string]> => {
      const path = join(resolve(folder), program)
      const version = await reportedVersion(program, path)
      if (version !== undefined) return [program, path]
      const because = (await isExecutable(path)) ? 'does not run' : 'is not there'
      throw new RingfenceError(
        'NotConfigured',
        `RINGFENCE_KUBE_ASSETS names ${resolve(folder)}, but ${program} ${because} in it; it must hold ${programs.join(', ')}`,
        { program },
      )
    }),
  )
  return Object.fromEntries(found) as KubernetesPrograms
}

async function findReady(program: Program, context: Context): Promise<string | undefined> {
  const installed = await onPath(program, context.env)
  if (installed !== undefined && (await isRight(program, installed))) return installed
  const kept = join(context.folder, program)
  return (await isExecutable(kept)) && (await isRight(program, kept)) ? kept : undefined
}

/** Syncs, checks and renames what was fetched or built; after this it is whole, also after a power loss. */
async function settle(program: Program, temporary: string, target: string): Promise<void> {
  await chmod(temporary, 0o755)
  const file = await open(temporary, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
  const version = await reportedVersion(program, temporary)
  if (version !== wantedVersion(program)) {
    throw new RingfenceError(
      'Unreadable',
      `the ${program} that was made says version ${version ?? 'nothing'}, not ${wantedVersion(program)}`,
      { program },
    )
  }
  await rename(temporary, target)
  await syncFolder(join(target, '..'))
}

async function tryDownload(program: Program, temporary: string, context: Context, step: string): Promise<boolean> {
  if (context.closed !== undefined) return false
  context.progress(`downloading ${program} (${step})`)
  try {
    await download(program, temporary, context.origins, context.signal)
    return true
  } catch (error) {
    context.signal?.throwIfAborted()
    context.closed = error instanceof Error ? error.message : String(error)
    return false
  }
}

async function buildHere(program: Program, temporary: string, context: Context, step: string): Promise<void> {
  const go = await onPath('go', context.env)
  const refused = `${program} ${wantedVersion(program)} could not be downloaded (${context.closed})`
  if (go === undefined) {
    const ways =
      'Install Go, name a folder of binaries with RINGFENCE_KUBE_ASSETS, use a cluster with --context, or write manifests with --kubernetes render.'
    throw new RingfenceError('NotConfigured', `${refused}, and there is no Go to build it with. ${ways}`, { program })
  }
  const { env, signal, progress, folder: scratch } = context
  const options = { env, progress, scratch, ...(signal === undefined ? {} : { signal }) }
  try {
    const usable = await usableGo(go, options)
    progress(`building ${program} (${step})`)
    await build(program, temporary, usable, options)
  } catch (error) {
    signal?.throwIfAborted()
    const { code, message } = toRingfenceError(error)
    throw new RingfenceError(code, `${refused}, nor built: ${message}`, { program }, error)
  }
}

async function make(program: Program, context: Context): Promise<string> {
  const target = join(context.folder, program)
  const temporary = join(context.folder, `.${program}.${randomBytes(4).toString('hex')}.tmp`)
  const step = `${programs.indexOf(program) + 1} of ${programs.length}`
  try {
    await rm(target, { recursive: true, force: true })
    const downloaded = await tryDownload(program, temporary, context, step)
    if (downloaded) {
      try {
        await settle(program, temporary, target)
        return target
      } catch (error) {
        context.closed = (error as Error).message
        await rm(temporary, { force: true })
      }
    }
    await buildHere(program, temporary, context, step)
    await settle(program, temporary, target)
    return target
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('.') && /\.tmp(\.d)?$/.test(name))
      await rm(join(folder, name), { recursive: true, force: true })
  }
}

/**
 * Answers the paths of the four programs, getting what is missing; concurrent calls, also of other processes, do it
 * once. Throws NotConfigured where there is no way to get them, and the signal's reason when aborted.
 */
export async function acquireKubernetes(options: AcquireOptions = {}): Promise<KubernetesPrograms> {
  const env = options.env ?? process.env
  const named = env['RINGFENCE_KUBE_ASSETS']
  if (named !== undefined && named !== '') return await namedByUser(named)
  const context: Context = {
    folder: join(cacheFolder('kubernetes', env), kubernetesVersion),
    env,
    origins: options.origins ?? officialOrigins,
    progress: options.progress ?? (() => undefined),
    signal: options.signal,
  }
  const search = async (): Promise<[Program, string | undefined][]> =>
    await Promise.all(
      programs.map(async (program): Promise<[Program, string | undefined]> => [
        program,
        await findReady(program, context),
      ]),
    )
  const before = await search()
  if (before.every(([, path]) => path !== undefined)) return Object.fromEntries(before) as KubernetesPrograms
  await mkdir(context.folder, { recursive: true, mode: 0o755 })
  const tell = (holder: { readonly pid: number }): void =>
    context.progress(`waiting for process ${holder.pid}, which gets the Kubernetes programs`)
  const held = await lock(join(context.folder, 'lock'), tell, context.signal)
  try {
    await removeLeftovers(context.folder)
    const found: [Program, string][] = []
    for (const [program, path] of await search()) found.push([program, path ?? (await make(program, context))])
    return Object.fromEntries(found) as KubernetesPrograms
  } finally {
    await held.release()
  }
}
