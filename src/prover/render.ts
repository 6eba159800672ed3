/** A report as text for a terminal, as JSON, and as an exit code. Nothing from the world reaches a terminal unescaped. */
import { printable } from '../model/printable.ts'
import { allProved, type Report, type Verdict } from '../model/verdict.ts'

const marks = { proved: '✓', refuted: '✗', undecided: '?' } as const

/**
 * Plain lines without colours: refutations with the way in, what is undecided with its reasons, then the sum. Where
 * assumptions are only counted, the line says which command lists them.
 */
export function renderReport(report: Report, assumed: 'listed' | 'counted' = 'listed'): string {
  const { proved, refuted, undecided } = report.summary
  const assumptions = [
    ...new Set(report.verdicts.flatMap((verdict) => (verdict.verdict === 'proved' ? verdict.assuming : []))),
  ]
  const lines = [
    ...report.verdicts.flatMap((verdict) => linesOf(verdict)),
    ...(assumptions.length === 0 || assumed === 'counted'
      ? []
      : ['', 'Assuming:', ...assumptions.map((sentence) => `  - ${printable(sentence)}`)]),
    '',
    report.verdicts.length === 0
      ? 'No tenant was found: nothing is proved.'
      : `${proved} proved, ${refuted} refuted, ${undecided} undecided (source: ${report.source})`,
    ...(assumptions.length > 0 && assumed === 'counted'
      ? [`under ${assumptions.length} assumptions, which \`ringfence prove\` lists`]
      : []),
  ]
  return `${lines.join('\n')}\n`
}

function linesOf(verdict: Verdict): readonly string[] {
  const head = `${marks[verdict.verdict]} ${printable(verdict.tenant)}  ${printable(verdict.claim)}  ${verdict.verdict}`
  if (verdict.verdict === 'proved') return [`${head} (${verdict.checked} checked)`]
  if (verdict.verdict === 'undecided') return [head, ...verdict.because.map((reason) => `    ${printable(reason)}`)]
  const { subject, object, path, command } = verdict.counterexample
  return [
    head,
    `    ${printable(subject)} can reach ${printable(object)}:`,
    ...path.map(
      (edge) =>
        `      ${printable(edge.from)} → ${printable(edge.to)}  [${printable(edge.rule)}] ${printable(edge.by)}`,
    ),
    ...(command === '' ? [] : [`    shown by: ${printable(command)}`]),
  ]
}

/** The machine-readable form: stable keys, what does not apply left out. */
export interface ReportJson {
  readonly verdicts: readonly {
    readonly claim: string
    readonly tenant: string
    readonly verdict: Verdict['verdict']
    readonly counterexample?: Extract<Verdict, { verdict: 'refuted' }>['counterexample']
    readonly because?: readonly string[]
    readonly assuming?: readonly string[]
    readonly checked?: number
    readonly observed?: readonly [from: string, to: string]
  }[]
  readonly summary: Report['summary']
  readonly source: Report['source']
}

export const reportJson = (report: Report): ReportJson => ({
  verdicts: report.verdicts.map((verdict) => ({ ...verdict })),
  summary: report.summary,
  source: report.source,
})

/** 0 when all is proved and something was, else 3. */
export const exitCodeOf = (report: Report): 0 | 3 => (allProved(report) ? 0 : 3)
