/** `prove` and `network connections`: what holds, what does not, and what can reach what. */
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import type { Io } from './io.ts'
import { connected, formatted } from './options.ts'
import type { Act } from './program.ts'
import type { ProveOptions } from './commands/prove.ts'

export type FailOn = 'refuted' | 'undecided'

function failOn(text: string): readonly FailOn[] {
  const kinds = text.split(',').map((kind) => kind.trim())
  const known = kinds.filter((kind): kind is FailOn => kind === 'refuted' || kind === 'undecided')
  if (known.length !== kinds.length) throw new InvalidArgumentError('Write refuted, undecided, or both with a comma.')
  return known
}

export function prover(program: Command, io: Io, act: Act): void {
  const prove = program
    .command('prove')
    .description('prove isolation: live, or over manifests without any cluster; exit 3 unless all is proved')
    .argument('[tenants...]', 'only these (default: all)')
    .option('--manifests <dir>', 'judge the YAML and JSON files below this folder; nothing else is asked')
    .option(
      '--tenant-label <key>',
      'namespace label whose value names the tenant (with --manifests; default: ringfence.dev/tenant)',
    )
    .addOption(
      new Option('--fail-on <verdicts>', 'which verdicts fail')
        .argParser(failOn)
        .default(['refuted', 'undecided'], 'refuted,undecided'),
    )
  formatted(connected(prove), ['json', 'yaml'])
  prove.action(
    act(async (names: string[], flags: ProveOptions) => (await import('./commands/prove.ts')).prove(io, names, flags)),
  )

  const network = program.command('network').description('what the network lets through')
  network
    .command('connections')
    .description('print `source => destination : connections`, one a line, of the workloads in manifests')
    .requiredOption('--manifests <dir>', 'folder of YAML and JSON files')
    .action(
      act(async (flags: { manifests: string }) =>
        (await import('./commands/network.ts')).connections(io, flags.manifests),
      ),
    )
}
