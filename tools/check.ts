/**
 * `npm run check`: everything that can be said about the code without running the product. The tools run side by
 * side, two at a time; each is shown with its time, and with all it said when it failed. A tool that cannot be
 * started has failed.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(fileURLToPath(import.meta.url), '../..')
const bin = (name: string): string => join(root, 'node_modules/.bin', name)

interface Tool {
  readonly name: string
  readonly says: string
  readonly command: readonly [string, ...string[]]
  /** What puts it right, where a command does. */
  readonly fix?: string
}

const tools: readonly Tool[] = [
  { name: 'types', says: 'strict types', command: [bin('tsc'), '-p', '.'] },
  {
    name: 'lint',
    says: 'lint, with types; file and function sizes',
    command: [bin('oxlint'), '--type-aware', '--deny-warnings', '-f', 'unix'],
  },
  { name: 'format', says: 'format', command: [bin('oxfmt'), '--check', '.'], fix: 'node_modules/.bin/oxfmt .' },
  {
    name: 'unused',
    says: 'dead code and packages',
    command: [bin('knip'), '--no-progress'],
  },
  {
    name: 'structure',
    says: 'import directions, names of files, reference pages',
    command: [
      process.execPath,
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--project',
      'unit',
      '--reporter',
      'dot',
      'test/unit/architecture.test.ts',
      'test/unit/model/reference.test.ts',
    ],
    fix: 'node tools/generate-reference.ts, when it is about docs/reference',
  },
]

interface Result {
  readonly tool: Tool
  readonly ok: boolean
  readonly output: string
  readonly seconds: number
}

function run(tool: Tool): Promise<Result> {
  const startedMs = performance.now()
  return new Promise((resolve) => {
    const [file, ...args] = tool.command
    let output = ''
    const done = (ok: boolean): void => resolve({ tool, ok, output, seconds: (performance.now() - startedMs) / 1000 })
    const child = spawn(file, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    })
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('error', (error) => {
      output += `could not be started: ${error.message}\n`
      done(false)
    })
    child.on('close', (code) => done(code === 0))
  })
}

/** All tools named on the command line, or all there are; never more at once than there are cores. */
async function check(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter((name) => !tools.some((tool) => tool.name === name))
  if (unknown.length > 0) {
    console.error(`no such check: ${unknown.join(', ')}; there are ${tools.map((tool) => tool.name).join(', ')}`)
    return 2
  }
  const waiting = tools.filter((tool) => wanted.length === 0 || wanted.includes(tool.name))
  const results: Result[] = []
  const worker = async (): Promise<void> => {
    for (let tool = waiting.shift(); tool !== undefined; tool = waiting.shift()) {
      const result = await run(tool)
      results.push(result)
      console.log(
        `${result.ok ? 'ok    ' : 'FAILED'}  ${tool.name.padEnd(10)} ${tool.says} (${result.seconds.toFixed(1)} s)`,
      )
    }
  }
  await Promise.all(Array.from({ length: Math.min(waiting.length, availableParallelism()) }, worker))
  const failed = results.filter((result) => !result.ok)
  for (const { tool, output } of failed) {
    console.log(
      `\n── ${tool.name}: ${tool.command.slice(1).join(' ').replaceAll(`${root}/`, '')}\n${output.replaceAll(`${root}/`, '').trimEnd()}`,
    )
    if (tool.fix !== undefined) console.log(`   to put it right: ${tool.fix}`)
  }
  console.log(failed.length === 0 ? '\nall checks passed' : `\n${failed.length} of ${results.length} checks failed`)
  return failed.length === 0 ? 0 : 1
}

process.exitCode = await check(process.argv.slice(2))
