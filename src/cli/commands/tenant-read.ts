/** `tenant get`, `list`, `describe`, `watch`: reading, and nothing else. */
import { RingfenceError } from '../../model/errors.ts'
import type { TenantView } from '../../engine/control-plane.ts'
import type { Phase } from '../../model/status.ts'
import type { ApiClient } from '../client.ts'
import { connect } from '../connection.ts'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { say, styleFor } from '../io.ts'
import type { Io } from '../io.ts'
import type { Connected, Formatted } from '../options.ts'
import { emit, jsonText } from '../output.ts'
import { eventLine } from '../views/event.ts'
import { describeTenant, tenantTable } from '../views/tenant.ts'

const reference = ({ metadata: { name } }: TenantView): string => `tenant/${name}`

export async function getTenants(io: Io, names: readonly string[], options: Connected & Formatted): Promise<ExitCode> {
  const client = await connect(io, options)
  const views: TenantView[] = []
  for (const name of names) views.push(await client.get(name))
  await emit(io, options.output, {
    json: views.length === 1 ? views[0] : { items: views },
    names: views.map(reference),
    human: () => tenantTable(views, styleFor(io.stdout, io.env), Date.now()),
  })
  return exitCodes.done
}

/** All pages, or the first `limit` tenants. */
async function pages(
  client: ApiClient,
  phase: Phase | undefined,
  limit: number | undefined,
): Promise<readonly TenantView[]> {
  const found: TenantView[] = []
  let after: string | undefined
  do {
    const left = limit === undefined ? 500 : Math.min(500, limit - found.length)
    const page = await client.list({
      limit: left,
      ...(phase ? { phase } : {}),
      ...(after === undefined ? {} : { after }),
    })
    found.push(...page.items)
    after = page.next
  } while (after !== undefined && (limit === undefined || found.length < limit))
  return found
}

export type ListOptions = Connected &
  Formatted & { readonly phase?: Phase; readonly failing?: boolean; readonly limit?: number }

export async function listTenants(io: Io, options: ListOptions): Promise<ExitCode> {
  const { phase, failing, limit } = options
  if (failing === true && phase !== undefined && phase !== 'Degraded')
    throw new RingfenceError('Usage', '--failing is --phase Degraded; give one of them.')
  if (limit === 0) throw new RingfenceError('Usage', '--limit must be at least 1.')
  const client = await connect(io, options)
  const views = await pages(client, failing === true ? 'Degraded' : phase, limit)
  await emit(io, options.output, {
    json: { items: views },
    names: views.map(reference),
    human: () => tenantTable(views, styleFor(io.stdout, io.env), Date.now()),
  })
  return exitCodes.done
}

export async function describe(io: Io, name: string, options: Connected & Formatted): Promise<ExitCode> {
  const client = await connect(io, options)
  const view = await client.get(name)
  await emit(io, options.output, {
    json: view,
    names: [reference(view)],
    human: () => describeTenant(view, styleFor(io.stdout, io.env), Date.now()),
  })
  return exitCodes.done
}

/** Prints events until it is stopped; being stopped by the person is how it ends well. */
export async function watch(
  io: Io,
  name: string | undefined,
  options: Connected & Formatted & { readonly after?: number },
): Promise<ExitCode> {
  const client = await connect(io, options)
  const style = styleFor(io.stdout, io.env)
  const query = {
    ...(name === undefined ? {} : { tenant: name }),
    ...(options.after === undefined ? {} : { after: options.after }),
  }
  for await (const event of client.events(query, io.signal)) {
    say(io.stdout, options.output === 'json' ? jsonText(event, 0) : eventLine(event, style))
  }
  return exitCodes.done
}
