/**
 * A control plane in a process of its own that kills itself with SIGKILL at one boundary of the journal. Started by
 * `kill -9` tests; reads what to do from KILLABLE (JSON) and prints `converged` when the tenant stands, or is gone.
 */
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Boundary } from '../../src/engine/execute.ts'
import { toRingfenceError } from '../../src/model/errors.ts'
import { up } from '../../src/up/up.ts'

export interface KillableTask {
  readonly dataDir: string
  readonly tenant: string
  readonly act: 'create' | 'remove'
  readonly document: unknown
  readonly kill?: { readonly boundary: Boundary; readonly kind: string; readonly name?: string }
}

const task = JSON.parse(process.env['KILLABLE'] ?? '{}') as KillableTask
const { kill, tenant } = task
const running = await up(
  { demo: false, dataDir: task.dataDir, inCluster: false, context: 'ringfence', kubernetes: 'embedded' },
  {
    env: process.env,
    signal: new AbortController().signal,
    log: (line) => process.stderr.write(`${line}\n`),
    checkpoint(boundary, step) {
      if (kill === undefined || boundary !== kill.boundary || step.resource.kind !== kill.kind) return
      if (
        !step.address.startsWith(`${tenant}:`) ||
        (kill.name !== undefined && step.resource.externalName !== kill.name)
      )
        return
      process.kill(process.pid, 'SIGKILL')
    },
  },
)
const caller = { actor: 'test', requestId: 'test' }
await running.settled
if (task.act === 'create') await running.controlPlane.create(task.document, caller)
if (task.act === 'remove') {
  await running.controlPlane.remove(tenant, tenant, caller).catch((error: unknown) => {
    if (toRingfenceError(error).code !== 'NotFound') throw error
  })
}
for (;;) {
  const view = await running.controlPlane.get(tenant).catch(() => undefined)
  if (task.act === 'remove' ? view === undefined : view?.status.phase === 'Ready') break
  await sleep(100)
}
process.stdout.write('converged\n')
await running.stop()
process.exit(0)
