/**
 * `npm run bench [-- NAME…] [-- --quick]`, `-- steady --tenants=200`: measures on real servers of its own and prints each figure beside the floor
 * that was taken in the same run, with the same verbs. Asserts no time: a figure is to be read, not to fail a build.
 */
import { cpus } from 'node:os'
import { type Result, table } from './figures.ts'
import { benchProof } from './proof.ts'
import { benchProvision } from './provision.ts'
import { benchSteady } from './steady.ts'

export interface BenchOptions {
  /** Small numbers, to see that everything runs; its figures say nothing. */
  readonly quick: boolean
  /** In place of the numbers that `provision` and `steady` take by themselves. */
  readonly tenants?: number
  readonly say: (text: string) => void
}

const parts: { readonly [name: string]: (options: BenchOptions) => Promise<Result> } = {
  proof: benchProof,
  provision: benchProvision,
  steady: benchSteady,
}

async function run(args: readonly string[]): Promise<number> {
  const quick = args.includes('--quick')
  const wanted = Number(args.find((arg) => arg.startsWith('--tenants='))?.slice('--tenants='.length))
  const tenants = Number.isInteger(wanted) && wanted > 0 ? { tenants: wanted } : {}
  const names = args.filter((arg) => arg !== '--quick' && !arg.startsWith('--tenants='))
  const unknown = names.filter((name) => !Object.hasOwn(parts, name))
  if (unknown.length > 0) {
    process.stderr.write(`no such bench: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}\n`)
    return 2
  }
  const say = (text: string) => void process.stderr.write(`${text}\n`)
  say(`${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}${quick ? ', quick' : ''}`)
  for (const [name, part] of Object.entries(parts)) {
    if (names.length > 0 && !names.includes(name)) continue
    const { lines, notes } = await part({ quick, ...tenants, say: (text) => say(`${name}: ${text}`) })
    process.stdout.write(`\n## ${name}\n\n${table(lines)}\n\n${notes.map((note) => `- ${note}\n`).join('')}`)
  }
  return 0
}

process.exitCode = await run(process.argv.slice(2))
