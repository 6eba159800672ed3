/** The `tenant` noun: its verbs and their options. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { phases } from '../model/status.ts'
import type { DocumentFlags } from './documents.ts'
import type { Io } from './io.ts'
import { collect, connected, formatted, waiting, wholeNumber } from './options.ts'
import type { Connected, Waiting } from './options.ts'
import type { Act } from './program.ts'

function addCreate(tenant: Command, io: Io, act: Act): void {
  const create = tenant
    .command('create')
    .description('create a tenant; the same content again changes nothing')
    .argument('<name>', '2 to 40 of a-z, 0-9 and "-"')
    .option('-f, --file <file>', 'start from this document (- for standard input); options are laid over it')
    .addOption(
      new Option('--tier <tier>', 'what was bought').choices(['community', 'starter', 'professional', 'enterprise']),
    )
    .option('--domain <name>', "the tenant's own domain")
    .option('--region <region>', 'where it lives')
    .option('--residency <where>', 'where its data must stay')
    .option('--admin-email <address>', 'its first administrator')
    .option('--owner-email <address>', 'who answers for it')
    .addOption(new Option('--environment <name>', 'what it is for').choices(['development', 'staging', 'production']))
    .addOption(new Option('--isolation <mode>', 'how far apart').choices(['isolated', 'shared']))
    .addOption(new Option('--database <mode>', 'its database').choices(['shared', 'dedicated', 'none']))
    .option('--display-name <text>', 'its name for people')
    .option('--description <text>', 'what it is')
    .option('--parent <name>', 'the tenant it belongs to')
    .option('--module <name>', 'a module it uses; may be repeated', collect)
    .option('--label <key=value>', 'a label; may be repeated', collect)
    .option('--tag <key=value>', 'a cost tag; may be repeated', collect)
    .option('--set <path=value>', 'any field, such as compute.quota.pods=50; may be repeated', collect)
  formatted(connected(waiting(create, 'wait until it is ready and show the progress')))
  create.action(
    act(async (name: string, flags: Connected & Waiting & DocumentFlags) =>
      (await import('./commands/tenant-write.ts')).createTenant(io, name, flags),
    ),
  )
}

function addApply(tenant: Command, io: Io, act: Act): void {
  const apply = tenant
    .command('apply')
    .description('create or change tenants as documents say, or carry out a saved plan')
    .option('-f, --file <file>', 'documents, one or more a file (- for standard input); may be repeated', collect)
    .option('--plan <file>', 'a plan that `tenant plan --out` wrote; refused when the world moved since')
  formatted(connected(waiting(apply, 'wait until all are ready and show the progress')))
  apply.action(
    act(async (flags: Connected & Waiting & { file?: string[]; plan?: string }) =>
      (await import('./commands/tenant-write.ts')).applyTenants(io, flags),
    ),
  )
  const plan = tenant
    .command('plan')
    .description(
      'what applying a document would do, or what has drifted of a tenant, and whether the result is isolated',
    )
    .argument('[name]', 'a tenant as it is')
    .option('-f, --file <file>', 'documents (- for standard input); may be repeated', collect)
    .option('--out <file>', 'save the plan, to apply exactly this')
  formatted(connected(plan))
  plan.action(
    act(async (name: string | undefined, flags: Connected & { file?: string[]; out?: string }) =>
      (await import('./commands/tenant-write.ts')).planTenants(io, name, flags),
    ),
  )
}

function addReads(tenant: Command, io: Io, act: Act): void {
  const load = () => import('./commands/tenant-read.ts')
  formatted(connected(tenant.command('get').description('tenants by name').argument('<names...>'))).action(
    act(async (names: string[], flags: Connected) => (await load()).getTenants(io, names, flags)),
  )
  formatted(connected(tenant.command('list').description('all tenants')))
    .addOption(new Option('--phase <phase>', 'only those in this phase').choices(phases))
    .option('--failing', 'only those that are Degraded')
    .addOption(new Option('--limit <count>', 'at most so many').argParser(wholeNumber))
    .action(act(async (flags: Connected) => (await load()).listTenants(io, flags)))
  formatted(
    connected(
      tenant
        .command('describe')
        .description('everything about one tenant: names, conditions, layers, proof')
        .argument('<name>'),
    ),
  ).action(act(async (name: string, flags: Connected) => (await load()).describe(io, name, flags)))
  formatted(
    connected(tenant.command('watch').description('follow what happens to one tenant, or to all').argument('[name]')),
    ['json'],
  )
    .addOption(new Option('--after <sequence>', 'begin after this event of the past').argParser(wholeNumber))
    .action(
      act(async (name: string | undefined, flags: Connected & { output?: 'json' }) =>
        (await load()).watch(io, name, flags),
      ),
    )
}

export function tenants(program: Command, io: Io, act: Act): void {
  const tenant = program.command('tenant').description('tenants: create, change, look at, remove')
  addCreate(tenant, io, act)
  addApply(tenant, io, act)
  addReads(tenant, io, act)
  const remove = tenant
    .command('delete')
    .description('remove a tenant and what was made for it, by its retain rules')
    .argument('<name>')
    .option('--confirm <name>', 'the name again, instead of typing it')
  formatted(connected(waiting(remove, 'wait until it is gone and show the progress')))
  remove.action(
    act(async (name: string, flags: Connected & Waiting & { confirm?: string }) =>
      (await import('./commands/tenant-delete.ts')).deleteTenant(io, name, flags),
    ),
  )
}
