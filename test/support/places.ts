/** Places in a document, and a document with one place changed: for tests that spoil good documents. */

/** Every place in a document: paths to leaves and to the objects above them. */
export function placesIn(
  value: unknown,
  path: readonly (string | number)[] = [],
): readonly (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  const inner = Array.isArray(value) ? value.map((item, index) => [index, item] as const) : Object.entries(value)
  return [path, ...inner.flatMap(([key, item]) => placesIn(item, [...path, key]))]
}

/** The value with what lies at the path replaced; the original is not changed. */
export function replaced(value: unknown, [key, ...rest]: readonly (string | number)[], by: unknown): unknown {
  if (key === undefined) return by
  if (Array.isArray(value)) return value.map((item, index) => (index === key ? replaced(item, rest, by) : item))
  return { ...(value as object), [key]: replaced((value as { readonly [key: string]: unknown })[key], rest, by) }
}
