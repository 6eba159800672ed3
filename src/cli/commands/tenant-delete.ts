/** `tenant delete`: asks for the name to be typed, then asks the control plane. Deletes nothing itself. */
import { PassThrough } from 'node:stream'
import { RingfenceError } from '../../model/errors.ts'
import type { TenantView } from '../../engine/control-plane.ts'
import { printable } from '../../model/printable.ts'
import { connect } from '../connection.ts'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { say } from '../io.ts'
import type { Io } from '../io.ts'
import type { Connected, Formatted, Waiting } from '../options.ts'
import { emit } from '../output.ts'
import { progress } from '../progress.ts'
import { waitFor } from '../wait.ts'

export type DeleteOptions = Connected & Formatted & Waiting & { readonly confirm?: string }

const kept = ({ spec }: TenantView): string =>
  spec.lifecycle.retain.length === 0
    ? 'Its data is removed with it.'
    : `Kept, by its retain rules: ${spec.lifecycle.retain.map(printable).join(', ')}.`

/** What was typed; on a terminal only, since a pipe cannot mean it. */
async function askName(io: Io, view: TenantView): Promise<string> {
  const { name } = view.metadata
  if (io.stdin.isTTY !== true || io.stderr.isTTY !== true) {
    throw new RingfenceError(
      'Usage',
      `Removing a tenant must be confirmed by its name: ringfence tenant delete ${name} --confirm ${name}`,
    )
  }
  const names = Object.entries(view.status.names).map(([what, value]) => `  ${printable(what)}: ${printable(value)}`)
  say(
    io.stderr,
    [`This removes tenant ${printable(name)} and all that was made for it:`, ...names, kept(view)].join('\n'),
  )
  const { isCancel, text } = await import('@clack/prompts')
  const screen = new PassThrough()
  screen.on('data', (chunk: Buffer) => io.stderr.write(chunk.toString()))
  const typed = await text({
    message: `Type ${printable(name)} to remove it`,
    input: io.stdin,
    output: screen,
    signal: io.signal,
  })
  if (isCancel(typed)) throw new RingfenceError('Aborted', 'Nothing was removed.')
  return typed
}

export async function deleteTenant(io: Io, name: string, options: DeleteOptions): Promise<ExitCode> {
  const client = await connect(io, options)
  const view = await client.get(name)
  const typed = options.confirm ?? (await askName(io, view))
  if (typed !== name)
    throw new RingfenceError('Usage', `That is not the name of the tenant, ${name}. Nothing was removed.`)
  const sinceMs = Date.now()
  const removing = await client.remove(name, typed)
  if (options.wait === true) {
    const shown = progress(io, sinceMs)
    try {
      await waitFor(client, {
        name,
        until: 'gone',
        generation: 0,
        timeoutMs: options.timeout,
        signal: io.signal,
        onView: shown.view,
        onEvent: shown.event,
      })
    } finally {
      shown.end()
    }
  }
  await emit(io, options.output, {
    json: removing,
    names: [`tenant/${name}`],
    human: () => `tenant/${printable(name)} ${options.wait === true ? 'is gone' : 'is being removed'}`,
  })
  return exitCodes.done
}
