/** Turns the schema's findings into problems in the words of the person who wrote the document. */
import type { z } from 'zod'
import { RingfenceError } from './errors.ts'
import type { Problem } from './errors.ts'
import { isObject, pointer } from './json.ts'
import type { Json } from './json.ts'
import { fieldsAt, pathsOfField } from './json-schema.ts'
import type { DocumentKind } from './json-schema.ts'
import { nearest } from './nearest.ts'
import { excerpt, printable } from './printable.ts'

type Issue = z.core.$ZodIssue
type Path = readonly (string | number)[]

/** More than this many problems are counted, not listed. */
const listed = 50

/** The error for a document with these problems; there must be at least one. */
export function invalidDocument(what: string, problems: readonly Problem[]): RingfenceError {
  const sorted = [...problems].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const shown: readonly Problem[] =
    sorted.length <= listed
      ? sorted
      : [
          ...sorted.slice(0, listed),
          { path: '', reason: `has ${sorted.length - listed} more problems`, fix: 'correct those above and try again' },
        ]
  const first = shown[0]
  const count = sorted.length === 1 ? 'one problem' : `${sorted.length} problems`
  const head = first === undefined ? '' : `: ${first.path === '' ? 'the document' : first.path} ${first.reason}`
  return new RingfenceError('InvalidDocument', `${printable(what)} has ${count}${head}`, { problems: shown })
}

/** One problem at a path of keys; keys are made safe to print. */
export const problemAt = (path: Path, reason: string, fix: string): Problem => ({
  path: pointer(path.map((key) => (typeof key === 'string' ? excerpt(key, 64) : key))),
  reason,
  fix,
})

/** All problems of one schema check, in order. `input` is the plain JSON that was checked. */
export const problemsOf = (kind: DocumentKind, input: Json, issues: readonly Issue[]): readonly Problem[] =>
  issues.flatMap((issue) => describe(kind, input, issue, []))

const keysOf = (path: readonly PropertyKey[]): Path => path.map((key) => (typeof key === 'symbol' ? String(key) : key))

function describe(kind: DocumentKind, input: Json, issue: Issue, above: Path): readonly Problem[] {
  const path = [...above, ...keysOf(issue.path)]
  const value = valueAt(input, path)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownField(kind, path, key))
    case 'invalid_type':
      return [wrongType(path, value, issue.expected)]
    case 'invalid_value':
      return [wrongValue(path, value, issue.values)]
    case 'invalid_format':
      return [problemAt(path, `is ${shown(value)}, not ${formatName(issue)}`, `give ${formatName(issue)}`)]
    case 'too_small':
    case 'too_big':
      return [outOfBounds(path, issue)]
    case 'invalid_key':
      return [problemAt(path, `is not a key that is allowed here`, `use ${keyHint(issue)}`)]
    case 'invalid_union':
      return describeUnion(kind, input, issue, path)
    case 'custom':
    case 'not_multiple_of':
    case 'invalid_element':
      return [problemAt(path, issue.message, 'correct it')]
  }
}

function unknownField(kind: DocumentKind, path: Path, key: string): Problem {
  const siblings = fieldsAt(kind, path)
  // Known in another form of a union: that form did not fit either, or the two were mixed.
  if (siblings.includes(key)) {
    const reason = 'does not fit: it stands beside a field of another form, or holds a value that is not allowed'
    return problemAt([...path, key], reason, `give one form, complete; fields known here: ${siblings.join(', ')}`)
  }
  const near = nearest(key, siblings)
  const elsewhere = pathsOfField(kind, key)
  const fix =
    near !== undefined
      ? `did you mean "${near}"?`
      : elsewhere.length > 0
        ? `it belongs at ${elsewhere.slice(0, 3).join(' or ')}`
        : `remove it; known here: ${siblings.join(', ')}`
  return problemAt([...path, key], 'is not a known field', fix)
}

const article = (type: string): string => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`)
const plainType: { readonly [type: string]: string } = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  record: 'an object',
}

function wrongType(path: Path, value: Json | undefined, expected: string): Problem {
  const wanted = plainType[expected] ?? article(expected)
  const reason = value === undefined ? `is missing` : `is ${shown(value)}, not ${wanted}`
  return problemAt(path, reason, value === null ? `give ${wanted}, or leave the field out` : `give ${wanted}`)
}

function wrongValue(path: Path, value: Json | undefined, values: readonly unknown[]): Problem {
  const known = values.map(String)
  const near = typeof value === 'string' ? nearest(value, known) : undefined
  const all = known.map((one) => `"${one}"`).join(', ')
  const fix =
    near !== undefined && known.length > 1
      ? `did you mean "${near}"? Known: ${all}`
      : known.length === 1
        ? `write ${all}`
        : `use one of ${all}`
  return problemAt(path, value === undefined ? 'is missing' : `is ${shown(value)}, which is not known here`, fix)
}

/** What a format means: our own patterns say it in their message. */
const formatName = (issue: Issue & { code: 'invalid_format' }): string =>
  issue.format === 'datetime' ? 'a point in time such as 2030-01-31T12:00:00Z' : issue.message

function outOfBounds(path: Path, issue: Issue & { code: 'too_small' | 'too_big' }): Problem {
  const small = issue.code === 'too_small'
  const limit = String(small ? issue.minimum : issue.maximum)
  const unit = issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : ''
  const bound = issue.inclusive === false ? (small ? 'more than' : 'less than') : small ? 'at least' : 'at most'
  const emptyPeers = small && path.at(-1) === 'peers' ? '; empty peers would mean everywhere' : ''
  return problemAt(path, `is too ${small ? 'small' : 'large'}${emptyPeers}`, `give ${bound} ${limit}${unit}`)
}

const keyHint = (issue: Issue & { code: 'invalid_key' }): string => issue.issues[0]?.message ?? 'a shorter key'

/** Speaks of the branch that the value comes closest to: the one with the fewest unknown and missing fields. */
function describeUnion(
  kind: DocumentKind,
  input: Json,
  issue: Issue & { code: 'invalid_union' },
  path: Path,
): readonly Problem[] {
  const value = valueAt(input, path)
  const objectBranches = issue.errors.filter(
    (errors) => !errors.some((one) => one.path.length === 0 && one.code === 'invalid_type'),
  )
  if (objectBranches.length === 0 || !isObject(value)) {
    const fits = issue.message === 'Invalid input' ? fittingTypes(issue.errors) : issue.message
    return [problemAt(path, `is ${shown(value)}, not ${fits}`, `give ${fits}`)]
  }
  const distance = (errors: readonly Issue[]): number =>
    errors.reduce(
      (sum, one) => sum + (one.code === 'unrecognized_keys' ? one.keys.length * 2 : missing(value, one) ? 3 : 1),
      0,
    )
  const best = objectBranches.reduce((a, b) => (distance(b) < distance(a) ? b : a))
  const unknown = best.filter((one) => one.code === 'unrecognized_keys')
  const chosen = unknown.length > 0 ? unknown : best
  return chosen.flatMap((one) => describe(kind, input, one, path))
}

const missing = (value: Json, issue: Issue): boolean =>
  issue.code === 'invalid_type' && valueAt(value, keysOf(issue.path)) === undefined

function fittingTypes(errors: readonly (readonly Issue[])[]): string {
  const types = errors
    .flat()
    .flatMap((one) => (one.code === 'invalid_type' ? [plainType[one.expected] ?? article(one.expected)] : []))
  return types.length > 0 ? [...new Set(types)].join(' or ') : 'a value that is allowed here'
}

function valueAt(input: Json, path: Path): Json | undefined {
  let here: Json | undefined = input
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined
    here = (here as { readonly [key: string]: Json })[String(key)]
  }
  return here
}

function shown(value: Json | undefined): string {
  if (typeof value === 'string') return value === '' ? 'empty' : `"${excerpt(value, 60)}"`
  if (value === undefined) return 'missing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
