/**
 * Where the control plane is and what opens it: `--server` and `--token-file`, else `api.json` and `token` in the data
 * directory, which `ringfence up` writes. The token is never printed and never sent in clear over a network.
 */
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { RingfenceError } from '../model/errors.ts'
import { isObject } from '../model/json.ts'
import { apiClient } from './client.ts'
import type { ApiClient } from './client.ts'
import type { Io } from './io.ts'

export interface ConnectionOptions {
  readonly server?: string
  readonly tokenFile?: string
  readonly dataDir?: string
}

const missing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

export const dataDirOf = (io: Io, options: ConnectionOptions): string =>
  resolve(io.cwd, options.dataDir ?? io.env['RINGFENCE_DATA_DIR'] ?? '.ringfence')

const isLoopback = ({ hostname }: URL): boolean => /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)

/** Accepts https anywhere and http on loopback only. */
export function checkServer(text: string): string {
  const url = URL.parse(text)
  if (
    url === null ||
    (url.protocol !== 'http:' && url.protocol !== 'https:') ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw new RingfenceError(
      'Usage',
      'The server must be an http(s) URL without credentials, such as http://127.0.0.1:8080.',
    )
  }
  if (url.protocol === 'http:' && !isLoopback(url)) {
    throw new RingfenceError(
      'Usage',
      `Refusing to send the token in clear to ${url.hostname}. Use https, or forward a port to loopback.`,
    )
  }
  return url.href.replace(/\/$/, '')
}

async function serverFrom(dataDir: string): Promise<string> {
  const path = join(dataDir, 'api.json')
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (!missing(error)) throw new RingfenceError('Unreadable', `Cannot read ${path}.`, {}, error)
    throw new RingfenceError(
      'Unreachable',
      `No control plane is running here: there is no ${path}.\nStart one with: ringfence up\nOr name one with: --server URL --token-file FILE (or --data-dir DIR)`,
    )
  })
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw new RingfenceError(
      'Unreadable',
      `${path} is not JSON. Start the control plane again: ringfence up`,
      {},
      error,
    )
  }
  const url = isObject(found) ? found['url'] : undefined
  if (typeof url !== 'string')
    throw new RingfenceError('Unreadable', `${path} names no url. Start the control plane again: ringfence up`)
  const server = checkServer(url)
  // `up` serves on loopback. A folder that somebody left lying around must not send a token anywhere else.
  if (!isLoopback(new URL(server)))
    throw new RingfenceError('Usage', `${path} names ${server}, not this machine. To use it: --server URL`)
  return server
}

/** Reads a token that only its owner can read; a file that others can read is refused, as ssh does. */
async function tokenFrom(path: string): Promise<string> {
  const token = await readPrivate(path).catch((error: unknown) => {
    if (!missing(error)) throw error
    throw new RingfenceError(
      'Usage',
      `There is no token file ${path}. Name it with --token-file FILE, or start the control plane: ringfence up`,
    )
  })
  if (!/^[\x21-\x7e]{32,}$/.test(token)) throw new RingfenceError('Usage', `${path} holds no API token.`)
  return token
}

async function readPrivate(path: string): Promise<string> {
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0)
    throw new RingfenceError('Usage', `${path} can be read by others. Close it with: chmod 600 ${path}`)
  return (await readFile(path, 'utf8')).trim()
}

/** A client for the control plane that the options, or the data directory, name. */
export async function connect(io: Io, options: ConnectionOptions): Promise<ApiClient> {
  const dataDir = dataDirOf(io, options)
  const server = options.server ?? io.env['RINGFENCE_SERVER']
  const url = server === undefined ? await serverFrom(dataDir) : checkServer(server)
  const token = await tokenFrom(options.tokenFile ? resolve(io.cwd, options.tokenFile) : join(dataDir, 'token'))
  return apiClient({ url, token, signal: io.signal })
}
