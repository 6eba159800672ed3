/**
 * A process of its own that runs servers for the control plane and outlives it by just long enough to end them: it
 * is bound to its starter by an IPC channel, and when that closes (also by `kill -9`) it stops everything, last
 * started first. It decides nothing else, and starts nothing by itself.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { openSync, closeSync } from 'node:fs'
import type { SupervisorAnswer, SupervisorOrder } from './supervised.ts'

interface Running {
  readonly child: ChildProcess
  readonly order: Extract<SupervisorOrder, { readonly do: 'run' }>
  readonly ended: Promise<void>
}

const running = new Map<string, Running>()
let stopping = false

function answer(message: SupervisorAnswer): void {
  if (process.connected) process.send?.(message, () => undefined)
}

function run(order: Extract<SupervisorOrder, { readonly do: 'run' }>): void {
  if (stopping) return
  const log = openSync(order.log, 'a', 0o600)
  try {
    const child = spawn(order.command, order.args, {
      cwd: order.cwd,
      env: order.env,
      stdio: ['ignore', log, log],
      detached: order.group === true,
      ...(order.uid === undefined ? {} : { uid: order.uid, gid: order.gid }),
    })
    const ended = new Promise<void>((resolve) => {
      const finish = (exit: { code: number | null; signal: string | null; error?: string }): void => {
        running.delete(order.id)
        answer({ id: order.id, event: 'ended', ...exit })
        resolve()
      }
      child.once('exit', (code, signal) => finish({ code, signal }))
      child.once('error', (error) => {
        if (child.pid === undefined) finish({ code: null, signal: null, error: error.message })
      })
    })
    running.set(order.id, { child, order, ended })
    if (child.pid !== undefined) answer({ id: order.id, event: 'started', pid: child.pid })
  } finally {
    closeSync(log)
  }
}

function signal(one: Running, name: NodeJS.Signals): void {
  if (one.order.group !== true || one.child.pid === undefined) {
    one.child.kill(name)
    return
  }
  try {
    process.kill(-one.child.pid, name)
  } catch {
    // The whole group ended in this moment.
  }
}

async function stop(one: Running): Promise<void> {
  signal(one, one.order.stopSignal)
  const force = setTimeout(() => signal(one, 'SIGKILL'), one.order.graceMs)
  await one.ended
  clearTimeout(force)
}

async function stopAll(): Promise<void> {
  if (stopping) return
  stopping = true
  for (const one of [...running.values()].reverse()) await stop(one)
  process.exit(0)
}

process.on('message', (order: SupervisorOrder) => {
  if (order.do === 'run') run(order)
  else if (order.do === 'stop') {
    const one = running.get(order.id)
    if (one !== undefined) void stop(one)
  } else void stopAll()
})
process.on('disconnect', () => void stopAll())
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => void stopAll())
