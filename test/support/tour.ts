/**
 * The README's tour as data, and the comparison of what it shows with what really came. `…` within a line stands for
 * any text, and a line of `…` alone for any number of lines.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const checkout = join(import.meta.dirname, '../..')

export interface Shown {
  readonly command: string
  readonly output: readonly string[]
}

/** Every `console` block of a Markdown text: its commands, each with the output below it. */
export function consoleBlocks(markdown: string): readonly (readonly Shown[])[] {
  return [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, body = '']) => {
    const shown: { command: string; output: string[] }[] = []
    for (const line of body.split('\n').slice(0, -1)) {
      if (line.startsWith('$ ')) shown.push({ command: line.slice(2), output: [] })
      else if (shown.length === 0) throw new Error(`output before any command: ${line}`)
      else shown.at(-1)?.output.push(line)
    }
    return shown
  })
}

const patternOf = (line: string): RegExp =>
  new RegExp(
    `^${line
      .split('…')
      .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
      .join('.*')}$`,
  )

/** Whether all of `actual` is what `shown` allows, line for line. */
export function sameOutput(shown: readonly string[], actual: readonly string[]): boolean {
  // Which lengths of `actual` are reached after each line that is shown.
  let reached = new Set([0])
  for (const line of shown) {
    const next = new Set<number>()
    const pattern = patternOf(line)
    for (const at of reached) {
      if (line === '…') for (let to = at; to <= actual.length; to += 1) next.add(to)
      else if (at < actual.length && pattern.test(actual[at] ?? '')) next.add(at + 1)
    }
    reached = next
  }
  return reached.has(actual.length)
}

export const linesOf = (text: string): readonly string[] => {
  const lines = text.split('\n')
  while (lines.at(-1) === '') lines.pop()
  return lines
}

export type Environment = { readonly [name: string]: string | undefined }

export interface Answer {
  readonly lines: readonly string[]
  readonly code: number | null
}

/** Runs one command line in a shell, in the checkout, and answers all that it printed. */
export function runLine(command: string, env: Environment): Promise<Answer> {
  const child = spawn('/bin/sh', ['-c', `{ ${command}\n} 2>&1`], {
    cwd: checkout,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ lines: linesOf(text), code }))
  })
}

export interface Terminal {
  readonly lines: () => readonly string[]
  /** Waits until what was printed satisfies; throws with all of it when the command ends or takes too long. */
  until(satisfied: (lines: readonly string[]) => boolean, timeoutMs: number): Promise<void>
  /** Ctrl-C: the signal goes to the whole group, as from a terminal. */
  interrupt(): Promise<void>
}

/** A command that goes on, in a process group of its own. */
export function openTerminal(command: string, env: Environment): Terminal {
  const child: ChildProcess = spawn('/bin/sh', ['-c', `exec 2>&1; ${command}`], {
    cwd: checkout,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  let text = ''
  let ended = false
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const end = new Promise<void>((resolve) => child.once('close', () => resolve()))
  void end.then(() => (ended = true))
  return {
    lines: () => linesOf(text),
    async until(satisfied, timeoutMs) {
      const deadline = Date.now() + timeoutMs
      while (!satisfied(linesOf(text))) {
        if (ended) throw new Error(`\`${command}\` ended:\n${text}`)
        if (Date.now() > deadline) throw new Error(`\`${command}\` did not get there:\n${text}`)
        await sleep(100)
      }
    },
    async interrupt() {
      if (ended || child.pid === undefined) return
      process.kill(-child.pid, 'SIGINT')
      const force = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), 60_000)
      await end
      clearTimeout(force)
    },
  }
}

/** Processes whose command line or working directory names the folder. */
export async function processesOf(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [command, cwd] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
      readlink(`/proc/${pid}/cwd`).catch(() => ''),
    ])
    if (command.includes(folder) || cwd.startsWith(folder)) found.push(`${pid} ${command.replaceAll('\0', ' ')}`)
  }
  return found
}
