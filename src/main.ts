/** The entry of every command: the process, its signals and its exit code. The parts are wired in `up/`. */
import process from 'node:process'
import { processIo } from './cli/io.ts'
import { runCli } from './cli/program.ts'
import { exitCodes } from './cli/exit-codes.ts'

/** A signal that is sent to the process and to its group arrives twice; only a person's second one means "at once". */
const sameSignalMs = 1_000

const stopping = new AbortController()
let firstAtMs = 0
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (stopping.signal.aborted && Date.now() - firstAtMs > sameSignalMs) process.exit(exitCodes.failed)
    if (!stopping.signal.aborted) firstAtMs = Date.now()
    stopping.abort()
  })
}

// A reader that went away (`| head`) wants no more, and is no fault.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    if (stream === process.stdout) stopping.abort()
  })
}
const code = await runCli(process.argv.slice(2), processIo(stopping.signal), {
  up: async (options, io) => (await import('./up/command.ts')).upCommand(options, io),
})
// Output that was written is flushed before the end; a handle that some library kept open does not hold us.
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))),
)
process.exit(code)
