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
import { type Running, up } from './up.ts'

const demoTenants = ['acme', 'globex'] as const

export async function upCommand(options: UpOptions, io: Io): Promise<number> {
  const line = (text: string) => say(io.stderr, text.split('\n').map(printable).join('\n'))
  line('starting PostgreSQL …')
  const running = await up(options, { env: io.env, signal: io.signal, log: line })
  try {
    line(`serving on ${running.url}`)
    if (options.demo) await demo(running, io, line)
    else await running.settled.catch(() => undefined)
    line('stop with Ctrl-C')
    if (!io.signal.aborted) await once(io.signal, 'abort')
    line('stopping …')
    return exitCodes.done
  } finally {
    await running.stop()
  }
}

/** Declares the example tenants and waits until they are Ready, or Rendered where there is no Kubernetes. */
async function demo(running: Running, io: Io, line: (text: string) => void): Promise<void> {
  const { controlPlane } = running
  const caller = { actor: 'system:demo', requestId: 'demo' }
  for (const name of demoTenants) {
    const text = await readFile(new URL(`../../examples/quickstart/${name}.yaml`, import.meta.url), 'utf8')
    const { created } = await controlPlane.create(parse(text), caller).catch((error: unknown) => {
      // The examples may have been changed since the last start; what is declared counts.
      if (toRingfenceError(error).code !== 'AlreadyExists') throw error
      return { created: false }
    })
    line(`tenant ${name} ${created ? 'is declared' : 'was declared before'}`)
  }
  const watching = new AbortController()
  const signal = AbortSignal.any([watching.signal, io.signal])
  const told = follow(controlPlane, signal, line)
  const done = await settle(controlPlane, io.signal)
  watching.abort()
  await told
  if (!done) return
  say(io.stdout, renderReport(await controlPlane.prove([], caller)))
}

async function follow(controlPlane: ControlPlane, signal: AbortSignal, line: (text: string) => void): Promise<void> {
  const started = new Date().toISOString()
  for await (const event of controlPlane.events({}, signal)) {
    if (event.time < started || event.type === 'condition') continue
    line(`${event.tenant}: ${event.message}`)
  }
}

async function settle(controlPlane: ControlPlane, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const views = await Promise.all(demoTenants.map((name) => controlPlane.get(name)))
    if (views.every((view) => view.status.phase === 'Ready' || view.status.phase === 'Rendered')) return true
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return false
}
