/**
 * All label sets that a pod could carry, decided by classes: for a key only the values that some selector names, one
 * value that none names, and its absence can be told apart. Answers with witnesses. Knows selectors only.
 */
import type { Labels, Requirement, Selector } from './selectors.ts'

/** What is still free for one key: a value that must be one of `only`, or any but `not`, or the key's absence. */
interface Freedom {
  readonly absent: boolean
  readonly present: boolean
  readonly only: ReadonlySet<string> | undefined
  readonly not: ReadonlySet<string>
}

const free: Freedom = { absent: true, present: true, only: undefined, not: new Set() }

function narrow(freedom: Freedom, requirement: Requirement): Freedom {
  const { absent, present, only, not } = freedom
  switch (requirement.operator) {
    case 'Exists':
      return { absent: false, present, only, not }
    case 'DoesNotExist':
      return { absent, present: false, only, not }
    case 'In': {
      const both =
        only === undefined ? requirement.values : new Set([...only].filter((value) => requirement.values.has(value)))
      return { absent: false, present, only: both, not }
    }
    case 'NotIn':
      return { absent, present, only, not: new Set([...not, ...requirement.values]) }
  }
}

const negated = (requirement: Requirement): Requirement => {
  switch (requirement.operator) {
    case 'In':
      return { ...requirement, operator: 'NotIn' }
    case 'NotIn':
      return { ...requirement, operator: 'In' }
    case 'Exists':
      return { key: requirement.key, operator: 'DoesNotExist' }
    case 'DoesNotExist':
      return { key: requirement.key, operator: 'Exists' }
  }
}

/** One value that the freedom allows: undefined for absence, or nothing at all (`none`). Absence first: fewest labels. */
function choose(freedom: Freedom): { value: string | undefined } | undefined {
  if (freedom.absent) return { value: undefined }
  if (!freedom.present) return undefined
  if (freedom.only !== undefined) {
    const value = [...freedom.only].find((candidate) => !freedom.not.has(candidate))
    return value === undefined ? undefined : { value }
  }
  for (let count = 0; ; count++) {
    const value = count === 0 ? 'any' : `any-${count}`
    if (!freedom.not.has(value)) return { value }
  }
}

type Space = ReadonlyMap<string, Freedom>

/** The space with one requirement more, or undefined when no label set is left. */
function within(space: Space, requirement: Requirement): Space | undefined {
  const narrowed = narrow(space.get(requirement.key) ?? free, requirement)
  return choose(narrowed) === undefined ? undefined : new Map(space).set(requirement.key, narrowed)
}

function spaceOf(selector: Selector): Space | undefined {
  let space: Space | undefined = new Map()
  for (const requirement of selector.requirements) {
    space = within(space, requirement)
    if (space === undefined) return undefined
  }
  return space
}

function labelsIn(space: Space): Labels {
  const chosen = [...space].map(([key, freedom]) => [key, choose(freedom)?.value] as const)
  return Object.fromEntries(chosen.filter((entry): entry is readonly [string, string] => entry[1] !== undefined))
}

/** Label sets that the selector matches: one of them, or undefined when it matches none. */
export function witness(selector: Selector): Labels | undefined {
  const space = spaceOf(selector)
  return space === undefined ? undefined : labelsIn(space)
}

/** How many branches are tried before giving up. Selectors in real fences need fewer than ten. */
const maximalSteps = 20_000

/**
 * A label set inside `inside` that none of the selectors matches; `covered` when every label set is matched by one;
 * `unknown` when the search was given up. Exact: each selector fails by one of its requirements failing.
 */
export function uncovered(
  inside: Selector,
  selectors: readonly Selector[],
): { labels: Labels } | 'covered' | 'unknown' {
  const start = spaceOf(inside)
  if (start === undefined || selectors.some((selector) => selector.requirements.length === 0)) return 'covered'
  const ordered = [...new Map(selectors.map((selector) => [selector.text, selector])).values()].sort(
    (a, b) => a.requirements.length - b.requirements.length,
  )
  let steps = 0
  const search = (space: Space, index: number): Space | 'unknown' | undefined => {
    const selector = ordered[index]
    if (selector === undefined) return space
    for (const requirement of selector.requirements) {
      if (++steps > maximalSteps) return 'unknown'
      const narrowed = within(space, negated(requirement))
      const found = narrowed === undefined ? undefined : search(narrowed, index + 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  const found = search(start, 0)
  return found === 'unknown' ? 'unknown' : found === undefined ? 'covered' : { labels: labelsIn(found) }
}

/** Whether every label set that `narrower` matches is matched by `wider`. Exact for conjunctions. */
export function implies(narrower: Selector, wider: Selector): boolean {
  const space = spaceOf(narrower)
  return (
    space === undefined || wider.requirements.every((requirement) => within(space, negated(requirement)) === undefined)
  )
}
