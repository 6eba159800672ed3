/** The rooms and the arrows between them (ARCHITECTURE.md), read from the real imports. */
import { readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const source = join(root, 'src')

/** What each room may import of ours: rooms, or single files that are a contract. Wiring rooms may import all. */
const arrows: { readonly [room: string]: readonly string[] | 'everything' } = {
  model: [],
  layers: ['model'],
  planner: ['model'],
  lifecycle: ['model', 'planner'],
  prover: ['model'],
  audit: ['model'],
  drivers: ['model'],
  embedded: ['model'],
  // The store keeps what the planner's contracts name.
  store: ['model', 'audit', 'planner'],
  engine: ['model', 'layers', 'planner', 'prover', 'audit', 'store'],
  // The ways in hold no rule of their own: they speak to the control plane's contract. The command line also proves
  // files by itself, and finds the binaries of the embedded servers.
  http: ['model', 'engine/control-plane.ts'],
  cli: ['model', 'engine/control-plane.ts', 'prover', 'embedded'],
  up: 'everything',
  'main.ts': 'everything',
}

/** Packages that speak to a product or a person belong to one room each. `type` imports count too. */
const packageRooms: { readonly [name: string]: readonly string[] } = {
  pg: ['drivers', 'store', 'embedded', 'up'],
  kysely: ['store'],
  postgres: ['store', 'engine'],
  undici: ['drivers', 'embedded', 'cli'],
  '@kubernetes/client-node': ['drivers', 'up'],
  fastify: ['http'],
  commander: ['cli'],
  listr2: ['cli'],
}
/** Rooms that decide and must not act: no network, files, processes or clocks of the machine. */
const pureRooms = ['model', 'layers', 'planner', 'lifecycle']
const harmlessModules = ['node:net', 'node:crypto', 'node:util', 'zod', 'yaml']

interface Import {
  readonly file: string
  readonly target: string
}

/** Static, re-exporting, side-effect and dynamic imports of one file. */
export function importsOf(file: string, text: string): readonly Import[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '$1')
  const found = [
    ...code.matchAll(/^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm),
    ...code.matchAll(/^\s*import\s*['"]([^'"]+)['"]/gm),
    ...code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g),
  ]
  return found.map((match) => ({ file, target: match[1] ?? '' }))
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.split(sep).join('/'))
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(source, file), 'utf8')))

const roomOf = (file: string): string => file.split('/', 1)[0] ?? file
const resolved = ({ file, target }: Import): string =>
  relative(source, join(source, dirname(file), target))
    .split(sep)
    .join('/')
const isOurs = ({ target }: Import): boolean => target.startsWith('.')

/** Why an import may not be, or undefined. */
export function wrongArrow(one: Import): string | undefined {
  const [from, to] = [roomOf(one.file), resolved(one)]
  if (to.startsWith('..')) return to === '../package.json' ? undefined : `${one.file} reaches out of src to ${to}`
  const allowed = arrows[from]
  if (allowed === undefined) return `${one.file} is in a room that the architecture does not name`
  if (from === roomOf(to)) return sameRoom(one.file, to)
  if (allowed === 'everything' || allowed.includes(to) || allowed.includes(roomOf(to))) return undefined
  return `${one.file} (${from}) imports ${to}`
}

/** Drivers of two products never meet; files directly under `drivers/` are for all of them. */
function sameRoom(file: string, to: string): string | undefined {
  const [room, product, inside] = file.split('/')
  const [, other, target] = to.split('/')
  const apart = room === 'drivers' && inside !== undefined && target !== undefined && product !== other
  return apart ? `${file} imports another product's driver, ${to}` : undefined
}

describe('the architecture', () => {
  it('is read from the real files', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(imports.filter(isOurs).length).toBeGreaterThan(200)
    expect(imports.some((one) => one.file.startsWith('prover/') && resolved(one).startsWith('model/'))).toBe(true)
  })

  it('lets imports go one way only', () => {
    expect(imports.filter(isOurs).flatMap((one) => wrongArrow(one) ?? [])).toEqual([])
  })

  it.each([
    ['model/x.ts', "import { plan } from '../planner/plan.ts'"],
    ['layers/compute/x.ts', "import type { Store } from '../../store/schema.ts'"],
    ['drivers/postgres/x.ts', "import { y } from '../kubernetes/client.ts'"],
    ['prover/x.ts', "export * from '../engine/service.ts'"],
    ['http/x.ts', "const y = await import('../engine/service.ts')"],
    ['cli/x.ts', "import '../drivers/postgres/driver.ts'"],
    ['engine/x.ts', "import {\n  a,\n  b,\n} from '../drivers/memory/backend.ts'"],
    ['new-room/x.ts', "import type { Json } from '../model/json.ts'"],
    ['model/x.ts', "import y from '../../test/support/servers.ts'"],
  ])('would refuse in %s: %s', (file, text) => {
    expect(importsOf(file, text).map(wrongArrow)).toEqual([expect.any(String)])
  })

  it.each([
    ['layers/compute/x.ts', "import type { Json } from '../../model/json.ts'"],
    ['drivers/kubernetes/x.ts', "import { y } from '../differences.ts'"],
    ['http/x.ts', "import type { ControlPlane } from '../engine/control-plane.ts'"],
    ['up/up.ts', "import { y } from '../drivers/postgres/backend.ts'"],
  ])('allows in %s: %s', (file, text) => {
    expect(importsOf(file, text).map(wrongArrow)).toEqual([undefined])
  })

  it('keeps each product’s package in its room', () => {
    const strayed = imports.filter(({ file, target }) => {
      const rooms = packageRooms[target]
      return rooms !== undefined && !rooms.includes(roomOf(file))
    })
    expect(strayed).toEqual([])
  })

  it('keeps the rooms that decide from acting', () => {
    const acting = imports.filter(
      (one) => pureRooms.includes(roomOf(one.file)) && !isOurs(one) && !harmlessModules.includes(one.target),
    )
    expect(acting).toEqual([])
  })

  it('names no file after nothing in particular', () => {
    expect(files.filter((file) => /^(utils?|helpers?|manager|common|misc)\.ts$/.test(basename(file)))).toEqual([])
    expect(files.filter((file) => basename(file) !== basename(file).toLowerCase())).toEqual([])
  })

  it('opens every file with a paragraph on what it owns', () => {
    expect(files.filter((file) => !/^(#!.*\n)?\/\*\*/.test(readFileSync(join(source, file), 'utf8')))).toEqual([])
  })
})
