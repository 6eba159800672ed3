/**
 * Shell completion out of the very command tree. The shell's script calls `ringfence complete -- words`, which answers
 * from the names and choices that commander knows; nothing is asked of a server.
 */
import { RootCommand } from '@bomb.sh/tab'
import type { Argument, Command, Help, Option } from 'commander'
import type { Io } from '../io.ts'

export const shells = ['bash', 'zsh', 'fish'] as const

/** The library prints with console.log; this sends it where the command's output goes, for the time of one call. */
function printing(io: Io, run: () => void): void {
  // oxlint-disable no-console -- it is the library's only way out
  const before = console.log
  console.log = (...parts: unknown[]) => void io.stdout.write(`${parts.join(' ')}\n`)
  try {
    run()
  } finally {
    console.log = before
    // oxlint-enable no-console
  }
}

type Target = ReturnType<RootCommand['command']>

function describeOption(target: Target, option: Option): void {
  const name = option.long?.slice(2)
  if (name === undefined) return
  const alias = option.short?.slice(1)
  if (!option.required && !option.optional) target.option(name, option.description, alias ?? '')
  else
    target.option(
      name,
      option.description,
      (complete) => option.argChoices?.forEach((choice) => complete(choice, '')),
      alias,
    )
}

function describeArgument(target: Target, argument: Argument): void {
  target.argument(
    argument.name(),
    (complete) => argument.argChoices?.forEach((choice) => complete(choice, '')),
    argument.variadic,
  )
}

function describe(root: RootCommand, command: Command, path: string, help: Help): void {
  const target: Target = path === '' ? root : root.command(path, command.description())
  help.visibleOptions(command).forEach((option) => describeOption(target, option))
  command.registeredArguments.forEach((argument) => describeArgument(target, argument))
  for (const inner of help.visibleCommands(command))
    describe(root, inner, path === '' ? inner.name() : `${path} ${inner.name()}`, help)
}

const treeOf = (program: Command): RootCommand => {
  const root = new RootCommand()
  describe(root, program, '', program.createHelp())
  return root
}

/** Prints the script that a shell sources. */
export const completionScript = (io: Io, program: Command, shell: string): void =>
  printing(io, () => treeOf(program).setup('ringfence', 'ringfence', shell))

/** Answers one request of such a script. */
export const complete = (io: Io, program: Command, words: readonly string[]): void =>
  printing(io, () => treeOf(program).parse([...words]))
