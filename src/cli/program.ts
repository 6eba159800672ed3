/**
 * The command line: nouns and verbs, their options and help. Every command's code is loaded when it runs, so that
 * `--help` and completion stay fast. Answers an exit code and never ends the process itself.
 */
import { resolve } from 'node:path'
import { Argument, Command, CommanderError, Option } from 'commander'
import { toRingfenceError, RingfenceError } from '../model/errors.ts'
import { exitCodeOfError, exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { connected, formatted, port, wholeNumber } from './options.ts'
import type { Connected } from './options.ts'
import { printError } from './output.ts'
import { prover } from './program-proof.ts'
import { tenants } from './program-tenants.ts'
import type { UpOptions } from './up-options.ts'

export interface Services {
  /** Starts the control plane and serves until `io.signal` aborts; answers the exit code. */
  readonly up: (options: UpOptions, io: Io) => Promise<number>
}

/** Wraps an action: its exit code is kept for `runCli`. */
export type Act = <A extends readonly unknown[]>(run: (...args: A) => Promise<number>) => (...args: A) => Promise<void>

function addUp(program: Command, io: Io, act: Act, services: Services): void {
  type Flags = Connected & {
    demo?: boolean
    verbose?: boolean
    printRights?: boolean
    port?: number
    context?: string
    inCluster?: boolean
    kubernetes?: UpOptions['kubernetes']
    platform?: string
  }
  program
    .command('up')
    .description('start the control plane: on embedded servers, or on the cluster that is named')
    .option('--demo', 'provision two example tenants and prove them isolated')
    .option('--verbose', 'tell every event: each object made, each condition')
    .addOption(new Option('--port <port>', 'port of the API on loopback').argParser(port))
    .option('--data-dir <dir>', 'where everything is kept (default: .ringfence)')
    .addOption(
      new Option('--context <name>', 'use this context of your kubeconfig').conflicts(['inCluster', 'kubernetes']),
    )
    .addOption(new Option('--in-cluster', 'use the cluster that this runs in').conflicts(['context', 'kubernetes']))
    .addOption(
      new Option('--kubernetes <how>', 'without a cluster: run one, or write manifests for Argo CD and Flux').choices([
        'embedded',
        'render',
      ]),
    )
    .option('--platform <file>', 'the platform document')
    .option('--print-rights', 'only print what an administrator applies to a cluster first: the rights that are needed')
    .action(
      act(async (flags: Flags) => {
        const { dataDirOf } = await import('./connection.ts')
        return services.up(
          {
            demo: flags.demo === true,
            dataDir: dataDirOf(io, flags),
            inCluster: flags.inCluster === true,
            kubernetes: flags.kubernetes ?? 'embedded',
            ...(flags.verbose === true ? { verbose: true } : {}),
            ...(flags.printRights === true ? { printRights: true } : {}),
            ...(flags.port === undefined ? {} : { port: flags.port }),
            ...(flags.context === undefined ? {} : { context: flags.context }),
            ...(flags.platform === undefined ? {} : { platform: resolve(io.cwd, flags.platform) }),
          },
          io,
        )
      }),
    )
}

function addPlatform(program: Command, io: Io, act: Act): void {
  formatted(connected(program.command('doctor').description('check the control plane and its backends'))).action(
    act(async (flags: Connected) => (await import('./commands/platform.ts')).doctor(io, flags)),
  )
  for (const [verb, what] of [
    ['pause', 'stop changing anything, on every replica; proofs and plans go on'],
    ['resume', 'go on changing what differs'],
  ] as const) {
    connected(program.command(verb).description(what)).action(
      act(async (flags: Connected) => (await import('./commands/platform.ts')).turn(io, verb, flags)),
    )
  }
  const audit = program.command('audit').description('the audit log')
  formatted(connected(audit.command('list').description('read entries, oldest first')))
    .option('--tenant <name>', 'entries of one tenant: its name, or the uid of one that is gone')
    .addOption(new Option('--after <sequence>', 'entries after this one').argParser(wholeNumber))
    .addOption(new Option('--limit <count>', 'how many').argParser(wholeNumber).default(100))
    .action(
      act(async (flags: Connected & { limit: number }) =>
        (await import('./commands/platform.ts')).listAudit(io, flags),
      ),
    )
  formatted(
    connected(program.command('version').description('versions of the client and of the control plane')),
  ).action(act(async (flags: Connected) => (await import('./commands/platform.ts')).version(io, flags)))
}

function addTools(program: Command, io: Io, act: Act): void {
  program
    .command('completion')
    .description('print the completion script of a shell: source <(ringfence completion bash)')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .action(
      act(async (shell: string) => {
        ;(await import('./commands/completion.ts')).completionScript(io, program, shell)
        return exitCodes.done
      }),
    )
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(
      act(async (words: string[]) => {
        ;(await import('./commands/completion.ts')).complete(io, program, words)
        return exitCodes.done
      }),
    )
  program
    .command('kubectl')
    .description('kubectl on the embedded cluster, as its break-glass user')
    .usage('[--data-dir DIR] [--verbose] [arguments of kubectl]')
    .option('--data-dir <dir>', 'data directory of `ringfence up` (default: .ringfence)')
    .option('--verbose', 'say on stderr which kubectl and kubeconfig are used')
    .argument('[args...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(
      act(async (args: string[], flags: { dataDir?: string; verbose?: boolean }) =>
        (await import('./commands/kubectl.ts')).kubectl(io, args, flags),
      ),
    )
}

/** The whole tree. `settle` is told the exit code of the command that ran. */
function build(io: Io, services: Services, settle: (code: number) => void): Command {
  const program = new Command('ringfence')
  program
    .description(
      'The tenant control plane for data and AI platforms: provisioned, proved, kept, and safely taken down.',
    )
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 usage, 3 not proved, 4 conflict.')
  const act: Act =
    (run) =>
    async (...args) =>
      settle(await run(...args))
  addUp(program, io, act, services)
  tenants(program, io, act)
  prover(program, io, act)
  addPlatform(program, io, act)
  addTools(program, io, act)
  return program
}

/** Runs one command line (without node and script) and answers its exit code. */
export async function runCli(argv: readonly string[], io: Io, services: Services): Promise<number> {
  let code: number = exitCodes.failed
  const program = build(io, services, (settled) => (code = settled))
  // `--version` is looked for here, so that only it pays for reading the package's manifest.
  if (argv[0] === '--version' || argv[0] === '-V') {
    const { ownVersion } = await import('./commands/platform.ts')
    io.stdout.write(`${await ownVersion()}\n`)
    return exitCodes.done
  }
  if (argv.length === 0) {
    program.outputHelp({ error: true })
    return exitCodes.usage
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    const classified = error instanceof RingfenceError ? error : toRingfenceError(error)
    printError(io, classified)
    return exitCodeOfError(classified)
  }
}
