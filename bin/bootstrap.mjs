/**
 * What `npm start`, `npm test`, `npm run check` and `npm run bench` run first: plain JavaScript for any Node from 20
 * on, without packages. It installs the packages if they are not those of the lock file, then hands over to the
 * Node 24 that came with them, passing signals and the exit code on. Knows nothing of what it starts.
 */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const modules = join(root, 'node_modules')

const commands = {
  start: ['src/main.ts', 'up', '--demo'],
  test: ['node_modules/vitest/vitest.mjs', 'run'],
  check: ['tools/check.ts'],
  bench: ['bench/run.ts'],
  /** Only installs; `bin/ringfence` goes on by itself, in the folder that the person is in. */
  ensure: [],
}

const readJson = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** npm writes down what it installed when it is done; an interrupted installation has no such list. */
function installed() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages
  const present = readJson(join(modules, '.package-lock.json'))?.packages
  if (wanted === undefined) fail('package-lock.json cannot be read; check out the whole repository')
  if (present === undefined) return false
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue
    const found = present[path]
    if (found === undefined && entry.optional === true) continue
    if (found === undefined || found.version !== entry.version || found.integrity !== entry.integrity) return false
    if (!existsSync(join(root, path, 'package.json'))) return false
  }
  return true
}

function fail(message, code = 1) {
  process.stderr.write(`ringfence: ${message}\n`)
  process.exit(code)
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Two commands typed at once install once. The lock of a dead process is taken over. */
async function installOnce() {
  const lock = join(root, '.npm-ci.lock')
  for (let told = false; ;) {
    try {
      const file = openSync(lock, 'wx')
      writeSync(file, String(process.pid))
      closeSync(file)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = Number(existsSync(lock) ? readFileSync(lock, 'utf8') : 0)
    if (holder > 0 && isAlive(holder)) {
      if (!told) process.stderr.write(`ringfence: waiting for process ${holder}, which installs the packages …\n`)
      told = true
      await new Promise((resolve) => setTimeout(resolve, 500))
    } else if (Number.isNaN(holder) || holder > 0) rmSync(lock, { force: true })
    else await new Promise((resolve) => setTimeout(resolve, 100))
  }
  try {
    if (!installed()) install()
  } finally {
    rmSync(lock, { force: true })
  }
}

function install() {
  process.stderr.write('ringfence: installing the npm packages that package-lock.json names (once) …\n')
  const inherited = process.env.npm_execpath
  const [npm, before] = inherited === undefined ? ['npm', []] : [process.execPath, [inherited]]
  const flags = [
    'ci',
    '--loglevel=error',
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--include=dev',
    '--include=optional',
  ]
  const result = spawnSync(npm, [...before, ...flags], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  if (result.error !== undefined) fail(`npm cannot be run: ${result.error.message}`)
  if (result.status !== 0) fail(`npm ci failed (${result.status ?? result.signal}); what it said is above`)
}

/** The Node that the packages bring, else the one that runs this file, if they are new enough. */
function node24() {
  for (const candidate of [join(modules, '.bin', 'node'), process.execPath]) {
    const { status, stdout } = spawnSync(candidate, ['--version'], { encoding: 'utf8' })
    if (status === 0 && Number(/^v(\d+)\./.exec(stdout)?.[1]) >= 24) return candidate
  }
  return undefined
}

function handOver(node, args) {
  const env = { ...process.env, PATH: [join(modules, '.bin'), process.env.PATH ?? ''].join(delimiter) }
  const child = spawn(node, args, { cwd: root, stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    // What is typed at a terminal reaches the child by itself; sending it again would count as asked for twice.
    process.on(signal, () =>
      process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT') ? undefined : child.kill(signal),
    )
  }
  child.once('error', (error) => fail(`${node} cannot be run: ${error.message}`))
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

const [name, ...rest] = process.argv.slice(2)
const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined
if (command === undefined) fail(`usage: node bin/bootstrap.mjs ${Object.keys(commands).join('|')} [arguments]`, 2)
if (!installed()) await installOnce()
if (name === 'ensure') process.exit(0)
const node = node24()
if (node === undefined)
  fail(
    `Node 24 is needed; no package brings it for ${process.platform}-${process.arch}, and this is ${process.version}. Install Node 24 and try again.`,
  )
handOver(node, [...command, ...rest])
