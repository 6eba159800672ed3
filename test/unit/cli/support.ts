/** The command line in process, against the real HTTP server over the fake control plane. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { runCli } from '../../../src/cli/program.ts'
import type { Services } from '../../../src/cli/program.ts'
import type { Io } from '../../../src/cli/io.ts'
import { createServer, listen } from '../../../src/http/server.ts'
import { fakeControlPlane } from '../http/fake-control-plane.ts'
import type { Fake } from '../http/fake-control-plane.ts'

export const token = 'a-token-of-the-tests-0123456789abcdef'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Person {
  readonly tty?: boolean
  readonly env?: Record<string, string>
  readonly stdin?: string
  /** Keys pressed on a terminal, once something asks for them. */
  readonly typing?: string
  readonly signal?: AbortSignal
  readonly up?: Services['up']
  /** Told what is printed, as it is printed. */
  readonly watching?: (text: string) => void
}

const piped = ({ stdin, tty }: Person) =>
  Object.assign(Readable.from(stdin === undefined ? [] : [stdin]), { isTTY: tty === true })

function keyboard(keys: string) {
  const stream = new PassThrough()
  return Object.assign(stream, {
    isTTY: true,
    // Whoever asks for keys switches the terminal first.
    setRawMode: (raw: boolean) => {
      if (raw) setTimeout(() => stream.write(keys), 10)
    },
  })
}

/** Runs one command line as somebody in `cwd` would. */
export async function run(cwd: string, argv: readonly string[], person: Person = {}): Promise<Ran> {
  const written = { out: '', err: '' }
  const output = (to: 'out' | 'err') => ({
    isTTY: person.tty === true,
    columns: 100,
    write: (text: string) => {
      written[to] += text
      person.watching?.(text)
    },
  })
  const io: Io = {
    stdout: output('out'),
    stderr: output('err'),
    stdin: person.typing === undefined ? piped(person) : keyboard(person.typing),
    env: { PATH: '/usr/bin:/bin', ...person.env },
    cwd,
    signal: person.signal ?? new AbortController().signal,
  }
  const up = person.up ?? (async () => 0)
  return { code: await runCli(argv, io, { up }), ...written }
}

export interface Site {
  readonly fake: Fake
  readonly url: string
  /** A working folder whose `.ringfence` leads to the server. */
  readonly cwd: string
  readonly cli: (argv: string, person?: Person) => Promise<Ran>
  readonly write: (name: string, content: string | object) => Promise<string>
  readonly close: () => Promise<void>
}

/** `api.json` and `token` as `ringfence up` leaves them. */
export async function site(): Promise<Site> {
  const fake = fakeControlPlane()
  const app = createServer({ controlPlane: fake, token, allowedHosts: ['127.0.0.1'], heartbeatMs: 1000 })
  const url = await listen(app, { port: 0 })
  const cwd = await mkdtemp(join(tmpdir(), 'ringfence-cli-'))
  await mkdir(join(cwd, '.ringfence'))
  await writeFile(join(cwd, '.ringfence', 'api.json'), JSON.stringify({ url }))
  await writeFile(join(cwd, '.ringfence', 'token'), `${token}\n`, { mode: 0o600 })
  return {
    fake,
    url,
    cwd,
    cli: (argv, person) => run(cwd, argv.split(' '), person),
    write: async (name, content) => {
      await writeFile(join(cwd, name), typeof content === 'string' ? content : JSON.stringify(content))
      return name
    },
    close: async () => {
      await app.close()
      await rm(cwd, { recursive: true })
    },
  }
}

// oxlint-disable-next-line no-control-regex -- finding them is the purpose
export const acting = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u
