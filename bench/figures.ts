/** Medians, growth and lines of figures. Pure; every figure stands beside the floor that was taken in the same run. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle]
  if (upper === undefined) throw new Error('a median needs at least one value')
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

/** The exponent b of y = a·xᵇ, by least squares over the logarithms. */
export function growthExponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const)
  const mean = (index: 0 | 1) => logs.reduce((sum, point) => sum + point[index], 0) / logs.length
  const [meanX, meanY] = [mean(0), mean(1)]
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  const variance = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return covariance / variance
}

export interface Line {
  readonly what: string
  readonly measured: string
  readonly floor: string
  readonly ratio: string
  /** What the specification asks for, and whether this run has it. */
  readonly target?: string
}

/** Everything that a part has to say; `notes` are figures without a floor. */
export interface Result {
  readonly lines: readonly Line[]
  readonly notes: readonly string[]
}

export const ms = (value: number): string => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`)
export const perSecond = (value: number): string => `${value < 100 ? value.toFixed(1) : Math.round(value)}/s`
export const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`
export const ratioOf = (value: number, floor: number): string => `${(value / floor).toFixed(2)} ×`
export const verdict = (met: boolean, target: string): string => `${target}: ${met ? 'met' : 'missed'}`

/** The lines as a Markdown table, which is also what `docs/benchmarks.md` keeps. */
export function table(lines: readonly Line[]): string {
  const rows = [
    ['what', 'measured', 'floor', 'ratio', 'target'],
    ...lines.map((line) => [line.what, line.measured, line.floor, line.ratio, line.target ?? '']),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const text = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
  return [text[0], `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...text.slice(1)].join('\n')
}
