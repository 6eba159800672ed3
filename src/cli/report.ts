/** The prover's own text, coloured for a terminal. The words are the prover's, so that every way in says the same. */
import type { Report } from '../model/verdict.ts'
import { renderReport } from '../prover/render.ts'
import type { Style } from './io.ts'

const paintOf = (line: string, style: Style): ((text: string) => string) | undefined => {
  if (line.startsWith('✓')) return style.green
  if (line.startsWith('✗')) return style.red
  return line.startsWith('?') ? style.yellow : undefined
}

/** No line end at the end. */
export const reportText = (report: Report, style: Style): string =>
  renderReport(report)
    .trimEnd()
    .split('\n')
    .map((line) => paintOf(line, style)?.(line) ?? line)
    .join('\n')
