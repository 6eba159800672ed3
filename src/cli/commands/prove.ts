/** `prove`: live through the API, or over manifests in this very process. Prints the report and nothing else on stdout. */
import { resolve } from 'node:path'
import { RingfenceError } from '../../model/errors.ts'
import type { Report } from '../../model/verdict.ts'
import { connect } from '../connection.ts'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { styleFor } from '../io.ts'
import type { Io } from '../io.ts'
import type { Connected, Formatted } from '../options.ts'
import { emit } from '../output.ts'
import { reportJson } from '../../prover/render.ts'
import type { FailOn } from '../program-proof.ts'
import { reportText } from '../report.ts'

export type ProveOptions = Connected &
  Formatted & { readonly manifests?: string; readonly tenantLabel?: string; readonly failOn: readonly FailOn[] }

/** Nothing examined is not proved, whatever is allowed to fail. */
export function exitOf({ verdicts, summary }: Report, failOn: readonly FailOn[]): ExitCode {
  if (verdicts.length === 0) return exitCodes.notProved
  return failOn.some((kind) => summary[kind] > 0) ? exitCodes.notProved : exitCodes.done
}

/** The world of the files; the control plane is not asked. A name that no file knows is `NotFound`, as it is live. */
async function overManifests(io: Io, dir: string, names: readonly string[], tenantLabel?: string): Promise<Report> {
  const { readManifests, worldOfManifests } = await import('../../prover/manifests/index.ts')
  const { prove: judge } = await import('../../prover/prove.ts')
  const world = worldOfManifests(await readManifests(resolve(io.cwd, dir)), tenantLabel)
  return judge(world, names.length === 0 ? {} : { tenants: names })
}

export async function prove(io: Io, names: readonly string[], options: ProveOptions): Promise<ExitCode> {
  const { manifests, tenantLabel, failOn } = options
  if (manifests === undefined && tenantLabel !== undefined) {
    throw new RingfenceError(
      'Usage',
      '--tenant-label goes with --manifests; a live proof takes the tenants from the registry.',
    )
  }
  if (manifests !== undefined && options.server !== undefined)
    throw new RingfenceError('Usage', 'Give --manifests or --server, not both.')
  const report =
    manifests === undefined
      ? await (await connect(io, options)).prove(names)
      : await overManifests(io, manifests, names, tenantLabel)
  await emit(io, options.output, {
    json: reportJson(report),
    human: () => reportText(report, styleFor(io.stdout, io.env)),
  })
  return exitOf(report, failOn)
}
