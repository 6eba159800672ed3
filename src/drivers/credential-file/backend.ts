/**
 * `credential/Login` where there is no secret store: one JSON file of mode 0600 in a folder of mode 0700, apart from
 * everything that may be committed or served. Shows fingerprints, never values.
 */
import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, link, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backend, Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { isObject, jsonEqual, pointer, type Json, type JsonObject } from '../../model/json.ts'
import { backendId, type Resource } from '../../model/resource.ts'
import { differences } from '../differences.ts'

/** What a file holds. `secrets` are the clear values by slot; nothing of them leaves this room. */
interface LoginFile {
  readonly id: string
  readonly journal: string
  readonly data: JsonObject
  readonly secrets: { readonly [slot: string]: string }
}

const kind = 'credential/Login'

export function createCredentialFileBackend(name: string, { folder }: { readonly folder: string }): Backend {
  return {
    name,
    drivers: { [kind]: createDriver(folder) },
    async check() {
      await ensureFolder(folder)
    },
    close: async () => undefined,
  }
}

function createDriver(folder: string): Driver {
  const readSeen = async (resource: Resource, id: string, call: Call): Promise<LoginFile> => {
    refuseEnded(call, resource)
    const file = await readLogin(folder, resource)
    if (!file)
      throw new RingfenceError('NotFound', `The credentials ${resource.externalName} are not there`, {
        address: resource.address,
      })
    if (file.id !== id)
      throw new RingfenceError(
        'Conflict',
        `The credentials ${resource.externalName} are others by now; nothing was changed`,
        { address: resource.address },
      )
    return file
  }
  const write = async (resource: Resource, file: LoginFile, call: Call, replace: boolean): Promise<Owned> => {
    refuseEnded(call, resource)
    await writeLogin(folder, resource, file, replace)
    return ownedOf(resource, file)
  }
  return {
    fencing: 'deadline',
    observe: (resource, call) => observe(folder, resource, call),
    diff: (resource, state) =>
      differences(state, desiredOf(resource)).map(({ keys, from, to }) => ({
        path: pointer(keys),
        from,
        to,
        how: 'update' as const,
      })),
    create: (resource, call) =>
      write(
        resource,
        { id: randomUUID(), journal: call.key, data: dataOf(resource), secrets: clearOf(call) },
        call,
        false,
      ),
    async update(resource, seen, _drift, call) {
      const { id, journal, secrets } = await readSeen(resource, seen.id, call)
      const kept = Object.fromEntries(
        slotsOf(resource).flatMap((slot) => (secrets[slot] === undefined ? [] : [[slot, secrets[slot]]])),
      )
      return write(
        resource,
        { id, journal, data: dataOf(resource), secrets: { ...kept, ...clearOf(call) } },
        call,
        true,
      )
    },
    async remove(resource, seen, call) {
      refuseEnded(call, resource)
      if (!(await readLogin(folder, resource))) return
      await readSeen(resource, seen.id, call)
      await rm(pathOf(folder, resource), { force: true })
    },
  }
}

async function observe(folder: string, resource: Resource, call: Call): Promise<Observation> {
  try {
    refuseEnded(call, resource)
    const file = await readLogin(folder, resource)
    if (!file) return { status: 'absent' }
    const ours = file.id === call.knownId || (call.openCreateKey !== undefined && file.journal === call.openCreateKey)
    if (ours) return ownedOf(resource, file)
    return { status: 'foreign', id: backendId(file.id), state: stateOf(resource, file) }
  } catch (error) {
    return { status: 'unreadable', cause: toRingfenceError(error) }
  }
}

const slotsOf = (resource: Resource): string[] =>
  resource.secrets.filter((slot) => slot.role === 'source').map((slot) => slot.name)
const dataOf = (resource: Resource): JsonObject => (isObject(resource.spec['data']) ? resource.spec['data'] : {})
const clearOf = (call: Call): { readonly [slot: string]: string } =>
  Object.fromEntries(Object.entries(call.material ?? {}).map(([slot, { clear }]) => [slot, clear]))
const desiredOf = (resource: Resource): JsonObject => ({
  data: dataOf(resource),
  slots: slotsOf(resource).toSorted(),
  closed: true,
})
const fingerprint = (clear: string): string => createHash('sha256').update(clear).digest('hex')

/** Values that are not as desired are not shown: a password may have been put in their place. */
function stateOf(resource: Resource, file: LoginFile & { readonly open?: boolean }): JsonObject {
  const wanted = dataOf(resource)
  const shown = (key: string, value: Json): Json => (jsonEqual(value, wanted[key]) ? value : '(another value)')
  const data: JsonObject = Object.fromEntries(Object.entries(file.data).map(([key, value]) => [key, shown(key, value)]))
  return { data, slots: Object.keys(file.secrets).toSorted(), closed: file.open !== true }
}

const ownedOf = (resource: Resource, file: LoginFile & { readonly open?: boolean }): Owned => ({
  status: 'owned',
  id: backendId(file.id),
  state: stateOf(resource, file),
  outputs: { id: file.id },
  ready: true,
  credentials: Object.fromEntries(
    slotsOf(resource).map((slot) => [
      slot,
      file.secrets[slot] === undefined ? undefined : fingerprint(file.secrets[slot]),
    ]),
  ),
})

const escaped = (text: string): string => encodeURIComponent(text).replaceAll('_', '%5F').replaceAll('*', '%2A')
const pathOf = (folder: string, resource: Resource): string =>
  join(folder, `${resource.externalName.split('/').map(escaped).join('_')}.json`)

/** Makes the folder, and refuses one that others can enter or that is not ours. */
async function ensureFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const found = await lstat(folder)
    if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid())) {
      throw new RingfenceError(
        'Guarded',
        `The folder of credentials ${folder} is not a folder of ours; nothing is written there`,
        { folder },
      )
    }
    if ((found.mode & 0o077) !== 0) await chmod(folder, 0o700)
  } catch (error) {
    throw classified(error, folder)
  }
}

async function readLogin(
  folder: string,
  resource: Resource,
): Promise<(LoginFile & { readonly open: boolean }) | undefined> {
  const path = pathOf(folder, resource)
  let text: string
  let open0077: boolean
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      open0077 = ((await file.stat()).mode & 0o077) !== 0
      text = await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw classified(error, path)
  }
  return { ...parsed(text, path), open: open0077 }
}

function parsed(text: string, path: string): LoginFile {
  const value = ((): unknown => {
    try {
      return JSON.parse(text) as unknown
    } catch {
      return undefined
    }
  })()
  if (
    !isObject(value) ||
    typeof value['id'] !== 'string' ||
    typeof value['journal'] !== 'string' ||
    !isObject(value['data']) ||
    !isObject(value['secrets'])
  ) {
    // The parser's own message would quote the text.
    throw new RingfenceError('Unreadable', `${path} does not hold credentials of ours`, { path })
  }
  return value as unknown as LoginFile
}

async function writeLogin(folder: string, resource: Resource, file: LoginFile, replace: boolean): Promise<void> {
  await ensureFolder(folder)
  const path = pathOf(folder, resource)
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(
        `${JSON.stringify({ id: file.id, journal: file.journal, data: file.data, secrets: file.secrets }, null, 2)}\n`,
      )
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (replace) await rename(temporary, path)
    else await link(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new RingfenceError('AlreadyExists', `The credentials ${resource.externalName} exist already`, {
        address: resource.address,
      })
    throw classified(error, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

function classified(error: unknown, path: string): RingfenceError {
  if (error instanceof RingfenceError) return error
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return new RingfenceError(
    ['EACCES', 'EPERM', 'EROFS'].includes(code) ? 'Forbidden' : 'BackendFault',
    `${path}: ${code || 'cannot be used'}`,
    { path, errno: code },
  )
}

function refuseEnded(call: Call, resource: Resource): void {
  if (call.signal.aborted)
    throw new RingfenceError('Aborted', `${resource.kind} ${resource.externalName}: given up by the caller`)
  if (call.deadlineMs <= Date.now())
    throw new RingfenceError('Timeout', `${resource.kind} ${resource.externalName}: no time left`)
}
