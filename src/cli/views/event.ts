/** Progress events and audit entries, one line each. Pure. */
import type { AuditEntryView, Check, ProgressEvent } from '../../engine/control-plane.ts'
import { printable } from '../../model/printable.ts'
import type { Style } from '../io.ts'
import { table } from '../table.ts'

const paintOf = (type: ProgressEvent['type'], style: Style): ((text: string) => string) =>
  type === 'warning' || type === 'drift'
    ? style.yellow
    : type === 'phase' || type === 'proof'
      ? style.bold
      : (text) => text

/** `12:00:01Z acme-corp step Created compute: namespace acme-corp`. */
export function eventLine(event: ProgressEvent, style: Style): string {
  const clock = /T(\d\d:\d\d:\d\d)/.exec(event.time)?.[1] ?? event.time
  const layer = event.layer === undefined ? '' : `${event.layer}: `
  const text = `${event.type} ${event.reason} ${layer}${event.message}`
  return `${style.dim(printable(clock))} ${printable(event.tenant)} ${paintOf(event.type, style)(printable(text))}`
}

export function auditTable(entries: readonly AuditEntryView[], style: Style): string {
  if (entries.length === 0) return 'No entries.'
  const rows = entries.map(({ sequence, time, tenant, actor, action, object, decision, severity }) => [
    String(sequence),
    time,
    tenant ?? '-',
    actor,
    action,
    object,
    { text: decision, paint: severity === 'info' ? (text: string) => text : style.yellow },
  ])
  return table(['SEQUENCE', 'TIME', 'TENANT', 'ACTOR', 'ACTION', 'OBJECT', 'DECISION'], rows, style)
}

export function checkLines(checks: readonly Check[], style: Style): string {
  const mark = { ok: style.green('ok     '), warning: style.yellow('warning'), failed: style.red('failed ') }
  return checks
    .flatMap(({ name, status, message, fix }) => [
      `${mark[status]} ${printable(name)}: ${printable(message)}`,
      ...(fix === undefined ? [] : [`        → ${printable(fix)}`]),
    ])
    .join('\n')
}
