/**
 * Turns any JavaScript value into plain JSON within bounds, before anything else looks at it. Never runs code of the
 * value (getters, proxies' traps answer at most an exception that is caught), never recurses beyond the bounds.
 */
import type { Problem } from './errors.ts'
import { pointer } from './json.ts'
import type { Json } from './json.ts'
import { excerpt } from './printable.ts'

export const bounds = { depth: 24, values: 20_000, textLength: 65_536, totalText: 1_048_576, keyLength: 320 } as const

interface Walk {
  readonly problems: Problem[]
  /** Objects on the way from the root, to notice a value that contains itself. */
  readonly above: Set<object>
  values: number
  text: number
  /** A bound on the whole was passed: what follows is not looked at. */
  stopped: boolean
}

type Path = readonly (string | number)[]

/** A plain copy, or what keeps the value from being JSON. `undefined` entries of objects are left out, as JSON does. */
export function plainJson(value: unknown): { readonly json?: Json; readonly problems: readonly Problem[] } {
  const walk: Walk = { problems: [], above: new Set(), values: 0, text: 0, stopped: false }
  try {
    const json = copy(value, [], walk)
    return walk.problems.length > 0 || json === undefined ? { problems: walk.problems } : { json, problems: [] }
  } catch {
    // Only a proxy whose traps throw gets here.
    return { problems: [problem([], 'cannot be read as plain data', 'send plain JSON or YAML')] }
  }
}

const problem = (path: Path, reason: string, fix: string): Problem => ({
  path: pointer(path.map((key) => (typeof key === 'string' ? excerpt(key, 64) : key))),
  reason,
  fix,
})

function refuse(walk: Walk, path: Path, reason: string, fix: string): undefined {
  if (walk.problems.length < 100) walk.problems.push(problem(path, reason, fix))
  return undefined
}

function copy(value: unknown, path: Path, walk: Walk): Json | undefined {
  if (walk.stopped) return undefined
  walk.values += 1
  if (walk.values > bounds.values || walk.text > bounds.totalText) {
    walk.stopped = true
    return refuse(
      walk,
      [],
      `is larger than a document may be (${bounds.values} values, ${bounds.totalText} characters)`,
      'send a smaller document',
    )
  }
  switch (typeof value) {
    case 'string':
      return copyText(value, path, walk)
    case 'number':
      if (Number.isFinite(value)) return value === 0 ? 0 : value
      return refuse(walk, path, `is ${String(value)}, which JSON cannot say`, 'give a finite number')
    case 'boolean':
      return value
    case 'object':
      return value === null ? null : copyObject(value, path, walk)
    case 'undefined':
      return refuse(walk, path, 'is missing', 'give a value')
    default:
      return refuse(walk, path, `is a ${typeof value}, which JSON cannot say`, 'give plain data')
  }
}

// oxlint-disable-next-line no-control-regex -- finding them is the purpose
const forbiddenInText = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u

function copyText(text: string, path: Path, walk: Walk): Json | undefined {
  walk.text += text.length
  if (text.length > bounds.textLength) {
    return refuse(walk, path, `has ${text.length} characters; ${bounds.textLength} are allowed`, 'shorten it')
  }
  const found = forbiddenInText.exec(text)
  if (found === null) return text
  return refuse(
    walk,
    path,
    `holds the character ${excerpt(found[0])}, which is not text`,
    'remove control and direction characters',
  )
}

function copyObject(value: object, path: Path, walk: Walk): Json | undefined {
  if (walk.above.has(value)) return refuse(walk, path, 'contains itself', 'remove the cycle')
  if (path.length >= bounds.depth)
    return refuse(walk, path, `is nested deeper than ${bounds.depth} levels`, 'flatten the document')
  walk.above.add(value)
  try {
    return Array.isArray(value) ? copyArray(value, path, walk) : copyRecord(value, path, walk)
  } finally {
    walk.above.delete(value)
  }
}

function copyArray(value: readonly unknown[], path: Path, walk: Walk): Json | undefined {
  const items: Json[] = []
  const length = Math.min(value.length, bounds.values + 1)
  for (let index = 0; index < length && !walk.stopped; index += 1) {
    const entry = Object.getOwnPropertyDescriptor(value, index)
    const item = entry !== undefined && 'value' in entry ? copy(entry.value, [...path, index], walk) : undefined
    if (entry === undefined) refuse(walk, [...path, index], 'is a hole in a list', 'give a value')
    else if (!('value' in entry)) refuse(walk, [...path, index], 'is computed', 'give plain data')
    else if (item !== undefined) items.push(item)
  }
  return items
}

function copyRecord(value: object, path: Path, walk: Walk): Json | undefined {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) {
    return refuse(
      walk,
      path,
      'is not a plain object',
      'give plain data: objects, lists, texts, numbers, true, false, null',
    )
  }
  const result: { [key: string]: Json } = {}
  for (const key of Object.keys(value)) {
    if (walk.stopped) return undefined
    const inner = [...path, key]
    const entry = Object.getOwnPropertyDescriptor(value, key)
    if (entry === undefined || !('value' in entry)) {
      refuse(walk, inner, 'is computed', 'give plain data')
    } else if (key === '__proto__' || key.length > bounds.keyLength || forbiddenInText.test(key)) {
      refuse(walk, inner, 'is not a field name', 'remove it')
    } else if (entry.value !== undefined) {
      walk.text += key.length
      const json = copy(entry.value, inner, walk)
      if (json !== undefined) result[key] = json
    }
  }
  return result
}
