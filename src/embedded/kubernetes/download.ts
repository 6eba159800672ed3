/**
 * Fetches official release binaries and checks their SHA-256. A network that is closed must cost seconds: the first
 * byte has a short deadline, and a stalled transfer another.
 */
import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EnvHttpProxyAgent, fetch } from 'undici'
import { RingfenceError } from '../../model/errors.ts'
import { etcdVersion, kubernetesVersion, type Program } from './release.ts'

export interface Origins {
  readonly kubernetes: string
  readonly etcd: string
}

export const officialOrigins: Origins = {
  kubernetes: 'https://dl.k8s.io',
  etcd: 'https://github.com/etcd-io/etcd/releases/download',
}

const firstByteMs = 4000
const stallMs = 15_000

/** A stream that fails when nothing came for a while. */
function watchdog(abort: AbortController): Transform {
  let timer = setTimeout(() => abort.abort(new Error('the transfer stalled')), stallMs)
  return new Transform({
    transform(chunk, _encoding, done) {
      clearTimeout(timer)
      timer = setTimeout(() => abort.abort(new Error('the transfer stalled')), stallMs)
      done(null, chunk)
    },
    final(done) {
      clearTimeout(timer)
      done()
    },
    destroy(error, done) {
      clearTimeout(timer)
      done(error)
    },
  })
}

async function open(
  url: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly body: Readable; readonly abort: AbortController }> {
  const abort = new AbortController()
  const first = setTimeout(() => abort.abort(new Error(`no answer within ${firstByteMs} ms`)), firstByteMs)
  const either = signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal])
  try {
    const response = await fetch(url, { signal: either, dispatcher: new EnvHttpProxyAgent() })
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`)
    return { body: Readable.fromWeb(response.body), abort }
  } catch (cause) {
    const reason = abort.signal.aborted ? (abort.signal.reason as Error) : (cause as Error)
    const because = reason.cause instanceof Error ? reason.cause.message : reason.message
    throw new RingfenceError('Unreachable', `${url}: ${because}`, { url }, cause)
  } finally {
    clearTimeout(first)
  }
}

async function text(url: string, signal: AbortSignal | undefined): Promise<string> {
  const { body, abort } = await open(url, signal)
  let content = ''
  const stream = body.pipe(watchdog(abort))
  body.once('error', (error) => stream.destroy(error))
  for await (const chunk of stream) {
    content += String(chunk)
    if (content.length > 100_000) throw new RingfenceError('Unreadable', `${url} is not a list of checksums`)
  }
  return content
}

/** Downloads to `target`; there is no such file afterwards unless its SHA-256 is the one given. */
async function checked(url: string, sha256: string, target: string, signal: AbortSignal | undefined): Promise<void> {
  const { body, abort } = await open(url, signal)
  const hash = createHash('sha256')
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  try {
    await pipeline(body, watchdog(abort), tap, createWriteStream(target, { flags: 'wx', mode: 0o600 }))
    const found = hash.digest('hex')
    if (found !== sha256)
      throw new RingfenceError('Unreadable', `${url} has SHA-256 ${found}, not ${sha256}; it is not used`, { url })
  } catch (error) {
    await rm(target, { force: true })
    throw error
  }
}

const digestPattern = /^[0-9a-f]{64}$/

async function etcd(
  origin: string,
  os: string,
  arch: string,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const release = `etcd-v${etcdVersion}-${os}-${arch}`
  const archive = `${release}.${os === 'linux' ? 'tar.gz' : 'zip'}`
  const sums = await text(`${origin}/v${etcdVersion}/SHA256SUMS`, signal)
  const digest =
    sums
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find(([, name]) => name === archive)?.[0] ?? ''
  if (!digestPattern.test(digest))
    throw new RingfenceError('Unreadable', `SHA256SUMS of etcd v${etcdVersion} does not name ${archive}`)
  const folder = `${target}.d`
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    await checked(`${origin}/v${etcdVersion}/${archive}`, digest, join(folder, archive), signal)
    const unpack =
      os === 'linux' ? ['tar', '-xzf', archive, `${release}/etcd`] : ['unzip', '-q', archive, `${release}/etcd`]
    const [code] = (await once(spawn(unpack[0] ?? '', unpack.slice(1), { cwd: folder, stdio: 'ignore' }), 'exit')) as [
      number | null,
    ]
    if (code !== 0) throw new RingfenceError('Unreadable', `${archive} could not be unpacked`)
    await rename(join(folder, release, 'etcd'), target)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Puts the official binary of this machine's platform at `target`, whole and checked, or throws and leaves nothing. */
export async function download(
  program: Program,
  target: string,
  origins: Origins,
  signal?: AbortSignal,
): Promise<void> {
  const os = process.platform
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  await mkdir(dirname(target), { recursive: true })
  if (program === 'etcd') return await etcd(origins.etcd, os, arch, target, signal)
  if (os !== 'linux' && program !== 'kubectl')
    throw new RingfenceError('NotConfigured', `there is no official ${program} for ${os}`)
  const url = `${origins.kubernetes}/${kubernetesVersion}/bin/${os}/${arch}/${program}`
  const digest = (await text(`${url}.sha256`, signal)).trim().split(/\s+/)[0] ?? ''
  if (!digestPattern.test(digest)) throw new RingfenceError('Unreadable', `${url}.sha256 holds no checksum`)
  await checked(url, digest, target, signal)
}
