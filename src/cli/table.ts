/** Plain tables: columns as wide as their longest cell, no borders, nothing cut. Cells are made printable here. */
import { printable } from '../model/printable.ts'
import type { Style } from './io.ts'

/** A cell may be coloured after it was measured. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string }

const textOf = (cell: Cell): string => printable(typeof cell === 'string' ? cell : cell.text)

export function table(header: readonly string[], rows: readonly (readonly Cell[])[], style: Style): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => textOf(row[column] ?? '').length)),
  )
  const pad = (text: string, column: number, last: boolean): string => (last ? text : text.padEnd(widths[column] ?? 0))
  const line = (cells: readonly Cell[]): string =>
    cells
      .map((cell, column) => {
        const padded = pad(textOf(cell), column, column === cells.length - 1)
        return typeof cell === 'string' ? padded : cell.paint(padded)
      })
      .join('  ')
      .trimEnd()
  return [style.dim(line(header)), ...rows.map(line)].join('\n')
}
