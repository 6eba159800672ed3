/**
 * Label selectors (apimachinery's LabelSelector): matching, and reasoning about all label sets that there could be.
 * Knows nothing of what is selected.
 */
import { isObject, type Json } from '../../model/json.ts'

export type Labels = { readonly [key: string]: string }

export type Requirement =
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: ReadonlySet<string> }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' }

/** A conjunction; the empty one selects everything. `text` is canonical: equal selectors have equal texts. */
export interface Selector {
  readonly requirements: readonly Requirement[]
  readonly text: string
}

/** What cannot be understood, in words; the caller makes it `undecided`. */
export class NotUnderstood extends Error {}

const describe = (requirement: Requirement): string =>
  'values' in requirement
    ? `${requirement.key} ${requirement.operator} (${[...requirement.values].sort().join(',')})`
    : `${requirement.key} ${requirement.operator}`

export function selectorOf(requirements: readonly Requirement[]): Selector {
  return { requirements, text: requirements.map(describe).sort().join(' and ') }
}

export const everything: Selector = selectorOf([])

/** Reads `{matchLabels, matchExpressions}`; throws NotUnderstood on anything that the API would not accept. */
export function parseSelector(value: unknown): Selector {
  if (!isObject(value)) throw new NotUnderstood('a selector that is no object')
  const strange = Object.keys(value).find((key) => key !== 'matchLabels' && key !== 'matchExpressions')
  if (strange !== undefined) throw new NotUnderstood(`a selector with the unknown field "${strange}"`)
  const requirements: Requirement[] = []
  for (const [key, label] of Object.entries(readObject(value['matchLabels'], 'matchLabels'))) {
    if (typeof label !== 'string') throw new NotUnderstood(`matchLabels with a value for "${key}" that is no string`)
    requirements.push({ key, operator: 'In', values: new Set([label]) })
  }
  const expressions = value['matchExpressions'] ?? []
  if (!Array.isArray(expressions)) throw new NotUnderstood('matchExpressions that is no list')
  for (const expression of expressions) requirements.push(parseExpression(expression as Json))
  return selectorOf(requirements)
}

function readObject(value: Json | undefined, what: string): { readonly [key: string]: Json } {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw new NotUnderstood(`${what} that is no object`)
  return value
}

function parseExpression(value: Json): Requirement {
  const { key, operator, values } = readObject(value, 'a matchExpressions entry')
  if (typeof key !== 'string' || key === '') throw new NotUnderstood('a matchExpressions entry without a key')
  const list = values === undefined || values === null ? [] : values
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) {
    throw new NotUnderstood(`values of "${key}" that are no list of strings`)
  }
  if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (list.length > 0) throw new NotUnderstood(`${operator} of "${key}" with values`)
    return { key, operator }
  }
  if (operator === 'In' || operator === 'NotIn') {
    if (list.length === 0) throw new NotUnderstood(`${operator} of "${key}" without values`)
    return { key, operator, values: new Set(list) }
  }
  throw new NotUnderstood(`the unknown operator ${JSON.stringify(operator)}`)
}

/** A missing key satisfies NotIn, as in apimachinery. */
export function meets(requirement: Requirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.has(value)
    case 'NotIn':
      return value === undefined || !requirement.values.has(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
  }
}

const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined

export const matches = (selector: Selector, labels: Labels): boolean =>
  selector.requirements.every((requirement) => meets(requirement, labelOf(labels, requirement.key)))
