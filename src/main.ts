/** The entry of every command: the process, its signals and its exit code. The parts are wired in `up/`. */
import process from 'node:process'
import { processIo } from './cli/io.ts'
import { runCli } from './cli/program.ts'
import { exitCodes } from './cli/exit-codes.ts'

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (stopping.signal.aborted) process.exit(exitCodes.failed)
    stopping.abort()
  })
}

const code = await runCli(process.argv.slice(2), processIo(stopping.signal), {
  up: async (options, io) => (await import('./up/command.ts')).upCommand(options, io),
})
// Output that was written is flushed before the end; a handle that some library kept open does not hold us.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))))
process.exit(code)
