/** Reports of the prover as text for people. Pure; every string of a report goes through `printable`. */
import { printable } from '../model/printable.ts'
import { allProved } from '../model/verdict.ts'
import type { Report, Verdict } from '../model/verdict.ts'
import type { Style } from './io.ts'

const sources = {
  live: 'what the backends say now',
  manifests: 'the manifests given',
  planned: 'the planned state',
} as const

function verdictLines(verdict: Verdict, style: Style): readonly string[] {
  const head = `${printable(verdict.tenant)}  ${printable(verdict.claim)}`
  switch (verdict.verdict) {
    case 'proved':
      return [`${style.green('proved   ')} ${head}  ${style.dim(`${verdict.checked} cases`)}`]
    case 'undecided':
      return [
        `${style.yellow('undecided')} ${head}`,
        ...verdict.because.map((why) => `          because ${printable(why)}`),
      ]
    case 'refuted': {
      const { subject, path, object, command } = verdict.counterexample
      return [
        `${style.red('refuted  ')} ${head}`,
        `          ${printable(subject)} reaches ${printable(object)}`,
        ...path.map(
          ({ from, to, rule, by }) =>
            `            ${printable(from)} → ${printable(to)}  ${style.dim(`${printable(rule)} by ${printable(by)}`)}`,
        ),
        ...(command === '' ? [] : [`          see it: ${style.bold(printable(command))}`]),
      ]
    }
  }
}

/** One block a verdict, the assumptions once, and the sum. */
export function reportText(report: Report, style: Style): string {
  const { verdicts, summary, source } = report
  const assuming = [
    ...new Set(verdicts.flatMap((verdict) => (verdict.verdict === 'proved' ? verdict.assuming : []))),
  ].sort()
  const paint = allProved(report) ? style.green : summary.refuted > 0 ? style.red : style.yellow
  return [
    ...verdicts.flatMap((verdict) => verdictLines(verdict, style)),
    ...(assuming.length === 0 ? [] : ['assuming', ...assuming.map((one) => `  ${printable(one)}`)]),
    paint(`${summary.proved} proved, ${summary.refuted} refuted, ${summary.undecided} undecided`) +
      ` over ${sources[source]}`,
    ...(verdicts.length === 0 ? [style.yellow('Nothing was examined, so nothing is proved.')] : []),
  ].join('\n')
}
