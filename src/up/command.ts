/** `ringfence up`: starts everything, says what it does in plain lines, and serves until it is told to stop. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { exitCodes } from '../cli/exit-codes.ts'
import type { Io } from '../cli/io.ts'
import { say } from '../cli/io.ts'
import type { UpOptions } from '../cli/up-options.ts'
import type { ControlPlane } from '../engine/control-plane.ts'
import { toRingfenceError } from '../model/errors.ts'
import { printable } from '../model/printable.ts'
import { renderReport } from '../prover/render.ts'
import { narrate, type Narrator } from './narrate.ts'
import { platformOf, type Running, up } from './up.ts'

const demoTenants = ['acme', 'globex'] as const

export async function upCommand(options: UpOptions, io: Io): Promise<number> {
  if (options.printRights === true) {
    const { installationText } = await import('./kubernetes.ts')
    say(io.stdout, await installationText((await platformOf(options)).spec))
    return exitCodes.done
  }
  const line = (text: string) => say(io.stderr, text.split('\n').map(printable).join('\n'))
  line('starting PostgreSQL …')
  const running = await up(options, { env: io.env, signal: io.signal, log: line })
  const watching = new AbortController()
  const stopped = AbortSignal.any([watching.signal, io.signal])
  try {
    line(`the API is at ${running.url}, data in ${options.dataDir}`)
    const story = narrate(line)
    void running.settled.then(() => story.attached()).catch(() => undefined)
    const told =
      options.demo || options.verbose === true
        ? follow(running.controlPlane, stopped, options.verbose === true ? verbose(line) : story)
        : Promise.resolve()
    const failed = await Promise.race([
      (options.demo ? demo(running, io, line) : running.settled).then(() => undefined),
      running.settled.then(() => new Promise<never>(() => undefined), toRingfenceError),
    ])
    if (failed !== undefined && !io.signal.aborted) {
      line(`Kubernetes cannot be had: ${failed.message}`)
      return exitCodes.failed
    }
    if (!io.signal.aborted) line('stop with Ctrl-C; the data stays, and the next start goes on with it')
    if (!io.signal.aborted) await once(io.signal, 'abort')
    line('stopping …')
    watching.abort()
    await told
    return exitCodes.done
  } finally {
    watching.abort()
    await running.stop()
  }
}

/** Declares the example tenants and waits until they are Ready, or Rendered where there is no Kubernetes. */
async function demo(running: Running, io: Io, line: (text: string) => void): Promise<void> {
  const { controlPlane } = running
  const caller = { actor: 'system:demo', requestId: 'demo' }
  const declared: string[] = []
  for (const name of demoTenants) {
    const text = await readFile(new URL(`../../examples/quickstart/${name}.yaml`, import.meta.url), 'utf8')
    const { created } = await controlPlane.create(parse(text), caller).catch((error: unknown) => {
      // The examples may have been changed since the last start; what is declared counts.
      if (toRingfenceError(error).code !== 'AlreadyExists') throw error
      return { created: false }
    })
    if (created) declared.push(name)
  }
  line(
    declared.length > 0
      ? `tenants declared: ${declared.join(', ')}`
      : `tenants declared before: ${demoTenants.join(', ')}`,
  )
  await running.settled
  if (!(await settle(controlPlane, new Date().toISOString(), io.signal))) return
  say(io.stdout, renderReport(await controlPlane.prove([], caller), 'counted'))
}

/** Tells what happens from now on; the past is in `tenant watch`. */
async function follow(
  controlPlane: ControlPlane,
  signal: AbortSignal,
  story: Pick<Narrator, 'event' | 'end'>,
): Promise<void> {
  const started = new Date().toISOString()
  try {
    for await (const event of controlPlane.events({}, signal)) if (event.time >= started) story.event(event)
  } finally {
    story.end()
  }
}

const verbose = (line: (text: string) => void): Pick<Narrator, 'event' | 'end'> => ({
  event: ({ tenant, type, message }) => line(`${tenant} ${type}: ${message}`),
  end: () => undefined,
})

/** Waits until both tenants stand, by a proof of this start and not of the last. */
async function settle(controlPlane: ControlPlane, since: string, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const views = await Promise.all(demoTenants.map((name) => controlPlane.get(name)))
    const stands = views.every(
      ({ status }) => (status.phase === 'Ready' || status.phase === 'Rendered') && (status.proof?.at ?? '') >= since,
    )
    if (stands) return true
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return false
}
