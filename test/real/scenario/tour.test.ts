/** The README's tour, word for word, with servers and data of its own. */
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeOn } from '../../support/servers.ts'
import {
  checkout,
  consoleBlocks,
  type Environment,
  linesOf,
  openTerminal,
  processesOf,
  runLine,
  sameOutput,
  type Shown,
  type Terminal,
} from '../../support/tour.ts'

const readme = consoleBlocks(await readFile(join(checkout, 'README.md'), 'utf8'))
const [[start] = [], ...tour] = readme

/** A data folder that the database's own user can reach when we are root, so that all of it goes with the folder. */
async function place(): Promise<{ readonly folder: string; readonly env: Environment }> {
  const folder = await mkdtemp(join(tmpdir(), 'ringfence-tour-'))
  await chmod(folder, 0o711)
  const { DATABASE_URL: _, KUBECONFIG: __, RINGFENCE_SERVER: ___, ...inherited } = process.env
  return { folder, env: { ...inherited, RINGFENCE_DATA_DIR: folder } }
}

/** What only reads is asked again for a while: between a change and its repair a reader's fingers take longer than we do. */
const reads = /^bin\/ringfence (prove|tenant (list|plan)|audit list)\b/

async function follow({ command, output }: Shown, env: Environment): Promise<void> {
  const deadline = Date.now() + (reads.test(command) ? 20_000 : 0)
  for (;;) {
    const { lines, code } = await runLine(command, env)
    if (code === 0 && sameOutput(output, lines)) return
    if (Date.now() > deadline) {
      expect(code, `exit of $ ${command}\n${lines.join('\n')}`).toBe(0)
      expect.fail(`$ ${command}\n--- the README shows\n${output.join('\n')}\n--- but this came\n${lines.join('\n')}`)
    }
    await sleep(200)
  }
}

describe('the comparison of what is shown with what came', () => {
  it('takes … for any text in a line and for any lines, and nothing else for anything', () => {
    const came = ['one 1', 'two 2', 'three']
    for (const shown of [
      ['one …', 'two …', 'three'],
      ['…', 'three'],
      ['…'],
      ['one 1', '…', 'two 2', '…', 'three', '…'],
    ])
      expect(sameOutput(shown, came)).toBe(true)
    for (const shown of [
      [],
      ['one …'],
      ['one …', 'three'],
      ['…', 'two 2'],
      ['one 1', 'two 2', 'three', 'four'],
      ['one .', 'two 2', 'three'],
    ])
      expect(sameOutput(shown, came)).toBe(false)
  })

  it('finds commands and their outputs', () => {
    expect(consoleBlocks('a\n```console\n$ x y\n\n1\n$ z\n```\n```sh\n$ no\n```\n')).toEqual([
      [
        { command: 'x y', output: ['', '1'] },
        { command: 'z', output: [] },
      ],
    ])
    expect(linesOf('a\n\nb\n\n')).toEqual(['a', '', 'b'])
  })
})

describeOn(['kubernetes', 'postgres18'], 'the tour of the README', () => {
  let first: Terminal | undefined
  let at: Awaited<ReturnType<typeof place>>
  beforeAll(async () => void (at = await place()))
  afterAll(async () => {
    await first?.interrupt()
    await rm(at.folder, { recursive: true, force: true })
  })

  it('goes as it is written, from the first command to the last', { timeout: 180_000 }, async () => {
    if (start === undefined) throw new Error('the README shows no command')
    expect(start.command).toBe('npm start')
    first = openTerminal(start.command, at.env)
    await first.until((lines) => lines.at(-1) === start.output.at(-1), 120_000)
    expect(
      sameOutput(start.output, first.lines()),
      `the README shows another start than this:\n${first.lines().join('\n')}`,
    ).toBe(true)
    const commands = tour.flat()
    expect(commands.length).toBeGreaterThan(15)
    for (const shown of commands) await follow(shown, at.env)
    expect(first.lines().join('\n')).toMatch(/NetworkPolicy ringfence-acme\/allow-all opens the fence and is not ours/)
  })

  it(
    'ends at Ctrl-C without a process left, and the next start goes on with the same tenants',
    { timeout: 120_000 },
    async () => {
      await first?.interrupt()
      expect(await processesOf(at.folder)).toEqual([])
      const beganMs = Date.now()
      first = openTerminal('npm start', at.env)
      await first.until((lines) => lines.some((line) => line.startsWith('stop with Ctrl-C')), 60_000)
      process.stdout.write(`the second start took ${((Date.now() - beganMs) / 1000).toFixed(1)} s\n`)
      const told = first.lines()
      expect(told).toContain('tenants declared before: acme, globex')
      expect(told).toContain('14 proved, 0 refuted, 0 undecided (source: live)')
      expect(told.filter((line) => line.includes('created'))).toEqual([])
      await first.interrupt()
      expect(await processesOf(at.folder)).toEqual([])
    },
  )
})

describeOn(['postgres18'], 'without any Kubernetes', () => {
  let terminal: Terminal | undefined
  let at: Awaited<ReturnType<typeof place>>
  beforeAll(async () => void (at = await place()))
  afterAll(async () => {
    await terminal?.interrupt()
    await rm(at.folder, { recursive: true, force: true })
  })

  it(
    'tenants are written as manifests, proved as manifests, and never called Ready',
    { timeout: 120_000 },
    async () => {
      terminal = openTerminal('npm start -- --kubernetes render', at.env)
      await terminal.until((lines) => lines.some((line) => line.startsWith('stop with Ctrl-C')), 60_000)
      expect(terminal.lines().filter((line) => /^\d+ proved/.test(line))).toEqual([
        expect.stringMatching(/^\d+ proved, 0 refuted, 0 undecided \(source: manifests\)$/),
      ])
      const { lines } = await runLine('bin/ringfence tenant list', at.env)
      expect(lines.slice(1).map((line) => line.split(/\s+/).slice(0, 2))).toEqual([
        ['acme', 'Rendered'],
        ['globex', 'Rendered'],
      ])
      const alone = await runLine(`bin/ringfence prove --manifests ${at.folder}/manifests`, {
        ...at.env,
        RINGFENCE_DATA_DIR: '/nowhere',
      })
      expect(alone.lines.at(-1)).toMatch(/^[1-9]\d* proved, 0 refuted, 0 undecided \(source: manifests\)$/)
      expect(alone.code).toBe(0)
    },
  )

  it('credentials lie outside of the manifests, for their owner alone', async () => {
    const credentials = join(at.folder, 'credentials')
    const files = await readdir(credentials)
    expect(files.toSorted()).toEqual([
      'ringfence-acme_database-credentials.json',
      'ringfence-globex_database-credentials.json',
    ])
    const passwords: string[] = []
    for (const file of files) {
      expect((await stat(join(credentials, file))).mode & 0o777).toBe(0o600)
      passwords.push(/"password":\s*"([^"]{16,})"/.exec(await readFile(join(credentials, file), 'utf8'))?.[1] ?? '')
    }
    expect(passwords.every((password) => password !== '')).toBe(true)
    const tree = join(at.folder, 'manifests')
    const manifests = (await readdir(tree, { recursive: true })).filter((name) => name.endsWith('.yaml'))
    expect(manifests.length).toBeGreaterThan(30)
    for (const name of manifests) {
      const text = await readFile(join(tree, name), 'utf8')
      expect(text).not.toMatch(/^kind: Secret$/m)
      for (const password of passwords) expect(text).not.toContain(password)
    }
  })
})
