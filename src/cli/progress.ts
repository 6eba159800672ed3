/**
 * Progress while a command waits: a live tree on a terminal, plain lines elsewhere, always on stderr so that stdout
 * holds the result alone. The tree is a pure function of the newest state; painting it is all that happens here.
 */
import type { ProgressEvent, TenantView } from '../engine/control-plane.ts'
import { printable } from '../model/printable.ts'
import { plainStyle, say, styleFor } from './io.ts'
import type { Io, Style } from './io.ts'
import { eventLine } from './views/event.ts'
import { isGood, phasePaint } from './views/tenant.ts'

export interface Progress {
  readonly view: (view: TenantView) => void
  readonly event: (event: ProgressEvent) => void
  /** Leaves the last state on the screen and gives the cursor back. */
  readonly end: () => void
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const

/** The tree of one moment: the tenant, a branch a condition, the newest event below. */
export function tree(
  view: TenantView,
  last: ProgressEvent | undefined,
  frame: number,
  style: Style,
): readonly string[] {
  const { name } = view.metadata
  const { phase, conditions } = view.status
  const done = phase === 'Ready' || phase === 'Rendered' || phase === 'Gone'
  const turning = spinner[frame % spinner.length] ?? ''
  const branches = conditions.map((condition) => {
    const mark = isGood(condition)
      ? style.green('✔')
      : condition.status === 'Unknown'
        ? style.dim(turning)
        : style.yellow('●')
    return `  ${mark} ${printable(condition.type)}${isGood(condition) ? '' : style.dim(`  ${printable(condition.message)}`)}`
  })
  const head = `${done ? style.green('✔') : turning} ${style.bold(printable(name))}  ${phasePaint(phase, style)(phase)}`
  return [head, ...branches, ...(last === undefined || done ? [] : [style.dim(`    ${printable(last.message)}`)])]
}

/** Cuts a line at the terminal's width, so that what is painted over is exactly what was painted. Styles count nothing. */
function fit(line: string, columns: number): string {
  let width = 0
  // oxlint-disable-next-line no-control-regex -- these are the sequences that we write ourselves
  const parts = line.split(/(\u001b\[\d+m)/)
  return parts
    .map((part) => {
      if (part.startsWith('\u001b[')) return part
      const kept = Array.from(part).slice(0, Math.max(0, columns - 1 - width))
      width += kept.length
      return kept.join('')
    })
    .join('')
}

function live(io: Io): Progress {
  const style = styleFor(io.stderr, io.env)
  let view: TenantView | undefined
  let last: ProgressEvent | undefined
  let painted = 0
  let frame = 0
  const paint = (): void => {
    if (view === undefined) return
    const lines = tree(view, last, frame, style).map((line) => fit(line, io.stderr.columns ?? 80))
    const up = painted > 0 ? `\u001b[${painted}A` : ''
    io.stderr.write(`${up}\r\u001b[0J${lines.join('\n')}\n`)
    painted = lines.length
    frame += 1
  }
  const timer = setInterval(paint, 100)
  return {
    view: (next) => void (view = next),
    event: (next) => void (last = next),
    end: () => {
      clearInterval(timer)
      paint()
    },
  }
}

function lines(io: Io, sinceMs: number): Progress {
  let phase: string | undefined
  return {
    view: (view) => {
      if (view.status.phase !== phase) say(io.stderr, `${view.metadata.name}: ${view.status.phase}`)
      phase = view.status.phase
    },
    // The stream begins with the tenant's past; only what this command set off is news.
    event: (event) => {
      if (Date.parse(event.time) >= sinceMs) say(io.stderr, eventLine(event, plainStyle))
    },
    end: () => undefined,
  }
}

/** `sinceMs` is the time before the command asked for anything; older events are not shown. */
export const progress = (io: Io, sinceMs: number): Progress =>
  io.stderr.isTTY === true && io.env['TERM'] !== 'dumb' && io.env['CI'] === undefined ? live(io) : lines(io, sinceMs)
