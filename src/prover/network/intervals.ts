/**
 * Exact sets of numbers as sorted, disjoint, half-open intervals. Knows nothing of ports or addresses; works on
 * numbers and bigints alike because it only compares and never counts.
 */
export type Interval<T extends number | bigint> = readonly [from: T, to: T]
export type IntervalSet<T extends number | bigint> = readonly Interval<T>[]

/** Sorts, joins what touches and drops what is empty. */
export function intervalSet<T extends number | bigint>(intervals: Iterable<Interval<T>>): IntervalSet<T> {
  const sorted = [...intervals].filter(([from, to]) => from < to).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const joined: [T, T][] = []
  for (const [from, to] of sorted) {
    const last = joined.at(-1)
    if (last === undefined || last[1] < from) joined.push([from, to])
    else if (last[1] < to) last[1] = to
  }
  return joined
}

export const union = <T extends number | bigint>(a: IntervalSet<T>, b: IntervalSet<T>): IntervalSet<T> =>
  a.length === 0 ? b : b.length === 0 ? a : intervalSet([...a, ...b])

export function intersect<T extends number | bigint>(a: IntervalSet<T>, b: IntervalSet<T>): IntervalSet<T> {
  const common: Interval<T>[] = []
  let [i, j] = [0, 0]
  for (let [left, right] = [a[i], b[j]]; left !== undefined && right !== undefined; [left, right] = [a[i], b[j]]) {
    const from = left[0] < right[0] ? right[0] : left[0]
    const to = left[1] < right[1] ? left[1] : right[1]
    if (from < to) common.push([from, to])
    if (left[1] < right[1]) i++
    else j++
  }
  return common
}

/** What is in `a` and not in `b`. */
export function subtract<T extends number | bigint>(a: IntervalSet<T>, b: IntervalSet<T>): IntervalSet<T> {
  const rest: Interval<T>[] = []
  let next = 0
  for (const [start, end] of a) {
    let from = start
    for (let cut = b[next]; cut !== undefined && cut[0] < end; cut = b[next]) {
      if (from < cut[0]) rest.push([from, cut[0]])
      if (from < cut[1]) from = cut[1]
      // A cut that reaches beyond this interval may also cut the next.
      if (cut[1] > end) break
      next++
    }
    if (from < end) rest.push([from, end])
  }
  return rest
}

export const contains = <T extends number | bigint>(outer: IntervalSet<T>, inner: IntervalSet<T>): boolean =>
  subtract(inner, outer).length === 0
