/**
 * A stand-in for the control plane that a test can kill: starts the servers that it is told to, says what it started
 * in one line of JSON, and stays until its standard input closes.
 */
import { startKubernetes, type StartKubernetes } from '../../src/embedded/kubernetes/server.ts'
import { startPostgres, type StartPostgres } from '../../src/embedded/postgres/server.ts'

export interface ParentOrder {
  readonly kubernetes?: StartKubernetes
  readonly postgres?: StartPostgres
}

const order = JSON.parse(process.argv[2] ?? '{}') as ParentOrder
const [kubernetes, postgres] = await Promise.all([
  order.kubernetes === undefined ? undefined : startKubernetes(order.kubernetes),
  order.postgres === undefined ? undefined : startPostgres(order.postgres),
])
const pids = [...(kubernetes?.pids ?? []), ...(postgres?.pids ?? [])]
process.stdout.write(`${JSON.stringify({ pids, admin: kubernetes?.admin, access: postgres?.access })}\n`)
process.stdin.resume()
process.stdin.once('end', () => void Promise.all([kubernetes?.stop(), postgres?.stop()]).then(() => process.exit(0)))
