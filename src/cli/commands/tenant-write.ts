/** `tenant create`, `apply` and `plan`: documents on their way to the control plane, and what became of them. */
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { PlanView, TenantView } from '../../engine/control-plane.ts'
import { isRingfenceError, RingfenceError } from '../../model/errors.ts'
import { isObject } from '../../model/json.ts'
import { printable } from '../../model/printable.ts'
import type { ApiClient, Outcome } from '../client.ts'
import { connect } from '../connection.ts'
import { draftTenant, nameOf, readDocuments } from '../documents.ts'
import type { DocumentFlags } from '../documents.ts'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { say, styleFor } from '../io.ts'
import type { Io } from '../io.ts'
import type { Connected, Formatted, Waiting } from '../options.ts'
import { emit, jsonText } from '../output.ts'
import { progress } from '../progress.ts'
import { reportText } from '../report.ts'
import { planText } from '../views/plan.ts'
import { waitFor } from '../wait.ts'

type Written = { readonly tenant: TenantView; readonly outcome: Outcome | 'planned' }

const commandText: { readonly [outcome in Written['outcome']]: string } = {
  created: 'created',
  changed: 'configured',
  unchanged: 'unchanged',
  planned: 'configured as planned',
}

/** Waits with progress; answers the tenant as it then is. */
async function waitReady(
  io: Io,
  client: ApiClient,
  view: TenantView,
  timeoutMs: number,
  sinceMs: number,
): Promise<TenantView> {
  const shown = progress(io, sinceMs)
  const { name, generation } = view.metadata
  try {
    const reached = await waitFor(client, {
      name,
      until: 'ready',
      generation,
      timeoutMs,
      signal: io.signal,
      onView: shown.view,
      onEvent: shown.event,
    })
    return reached ?? view
  } finally {
    shown.end()
  }
}

function outcomeLines({ tenant, outcome }: Written, waited: boolean): string {
  const { name } = tenant.metadata
  const { phase, conditions, proof } = tenant.status
  const first = `tenant/${printable(name)} ${commandText[outcome]}`
  if (!waited) return first
  const isolation =
    proof === undefined ? '' : `: ${proof.proved} claims proved, ${proof.refuted} refuted, ${proof.undecided} undecided`
  const told = conditions.filter(({ type }) => type === 'Ready').map(({ message }) => `\n  ${printable(message)}`)
  return `${first}\ntenant/${printable(name)} is ${phase}${isolation}${told.join('')}`
}

/** Ready but refuted is not success: the way in is open. What is undecided is told, and left to `prove` to fail on. */
const waitedExit = ({ status: { proof } }: TenantView): ExitCode =>
  (proof?.refuted ?? 0) > 0 ? exitCodes.notProved : exitCodes.done

async function finish(
  io: Io,
  client: ApiClient,
  written: readonly Written[],
  options: Formatted & Waiting,
  sinceMs: number,
): Promise<ExitCode> {
  const done: Written[] = []
  for (const one of written) {
    done.push(
      options.wait === true
        ? { ...one, tenant: await waitReady(io, client, one.tenant, options.timeout, sinceMs) }
        : one,
    )
  }
  const views = done.map(({ tenant }) => tenant)
  await emit(io, options.output, {
    json: views.length === 1 ? views[0] : { items: views },
    names: views.map(({ metadata: { name } }) => `tenant/${name}`),
    human: () => done.map((one) => outcomeLines(one, options.wait === true)).join('\n'),
  })
  if (options.wait !== true && options.output === undefined && done.length === 1) {
    say(io.stderr, `Follow it with: ringfence tenant watch ${done[0]?.tenant.metadata.name ?? ''}`)
  }
  if (options.wait !== true) return exitCodes.done
  return views.map(waitedExit).find((code) => code !== exitCodes.done) ?? exitCodes.done
}

export type CreateOptions = Connected & Formatted & Waiting & DocumentFlags

export async function createTenant(io: Io, name: string, options: CreateOptions): Promise<ExitCode> {
  const document = await draftTenant(io, name, options)
  const sinceMs = Date.now()
  const client = await connect(io, options)
  return finish(io, client, [await client.create(document)], options, sinceMs)
}

/** Replaces the version that is there now, so that a change in between is a conflict and not lost. */
async function applyOne(client: ApiClient, document: unknown): Promise<Written> {
  const name = nameOf(document)
  const current = await client.get(name).catch((error: unknown) => {
    if (isRingfenceError(error) && error.code === 'NotFound') return undefined
    throw error
  })
  return client.put(name, document, current === undefined ? 'nothing' : { version: current.metadata.resourceVersion })
}

/** A plan as `tenant plan --out` wrote it. */
async function readPlan(io: Io, file: string): Promise<{ document: unknown; basis: string }> {
  const path = resolve(io.cwd, file)
  let plan: unknown
  try {
    plan = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new RingfenceError(
      'Usage',
      `${path} cannot be read as a plan. Make one with: ringfence tenant plan -f FILE --out ${file}`,
      {},
      error,
    )
  }
  if (!isObject(plan) || typeof plan['basis'] !== 'string' || !isObject(plan['document'])) {
    throw new RingfenceError(
      'Usage',
      `${path} is not a plan. Make one with: ringfence tenant plan -f FILE --out ${file}`,
    )
  }
  return { document: plan['document'], basis: plan['basis'] }
}

export type ApplyOptions = Connected &
  Formatted &
  Waiting & { readonly file?: readonly string[]; readonly plan?: string }

export async function applyTenants(io: Io, options: ApplyOptions): Promise<ExitCode> {
  const { file: files = [], plan } = options
  if ((files.length === 0) === (plan === undefined))
    throw new RingfenceError('Usage', 'Say what to apply: either -f FILE or --plan FILE.')
  const sinceMs = Date.now()
  if (plan !== undefined) {
    const saved = await readPlan(io, plan)
    const client = await connect(io, options)
    return finish(io, client, [{ tenant: await client.applyPlan(saved), outcome: 'planned' }], options, sinceMs)
  }
  const documents = (await Promise.all(files.map((file) => readDocuments(io, file)))).flat()
  const client = await connect(io, options)
  const written: Written[] = []
  for (const document of documents) written.push(await applyOne(client, document))
  return finish(io, client, written, options, sinceMs)
}

export type PlanOptions = Connected & Formatted & { readonly file?: readonly string[]; readonly out?: string }

/** Plans documents, or a tenant as it is. Exit 3 when the planned state would not be proved isolated. */
export async function planTenants(io: Io, name: string | undefined, options: PlanOptions): Promise<ExitCode> {
  const { file: files = [], out } = options
  if ((files.length === 0) === (name === undefined))
    throw new RingfenceError('Usage', 'Say what to plan: either -f FILE or the name of a tenant.')
  const documents = (await Promise.all(files.map((file) => readDocuments(io, file)))).flat()
  if (out !== undefined && documents.length > 1)
    throw new RingfenceError('Usage', '--out takes one plan; give one document.')
  const client = await connect(io, options)
  const plans: PlanView[] = name === undefined ? [] : [await client.planTenant(name)]
  for (const document of documents) plans.push(await client.plan(document))
  if (out !== undefined) {
    await writeFile(resolve(io.cwd, out), `${jsonText(plans[0])}\n`, { mode: 0o600 })
    say(io.stderr, `Plan written to ${printable(out)}. Apply it with: ringfence tenant apply --plan ${printable(out)}`)
  }
  const style = styleFor(io.stdout, io.env)
  await emit(io, options.output, {
    json: plans.length === 1 ? plans[0] : { items: plans },
    names: plans.map(({ tenant }) => `tenant/${tenant}`),
    human: () =>
      plans
        .map(
          (plan) =>
            `${planText(plan, style)}\n\n${style.bold('Isolation of the planned state')}\n${reportText(plan.report, style)}`,
        )
        .join('\n\n'),
  })
  return plans.some(({ report }) => report.summary.refuted > 0) ? exitCodes.notProved : exitCodes.done
}
