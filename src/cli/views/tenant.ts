/** Tenants as text for people. Pure; every string of a tenant goes through `printable`. */
import type { TenantView } from '../../engine/control-plane.ts'
import { printable } from '../../model/printable.ts'
import type { Condition, Phase } from '../../model/status.ts'
import type { Style } from '../io.ts'
import { table } from '../table.ts'

export const phasePaint = (phase: Phase, style: Style): ((text: string) => string) =>
  phase === 'Ready' ? style.green : phase === 'Degraded' ? style.red : phase === 'Gone' ? style.dim : style.yellow

const proofOf = ({ status: { proof } }: TenantView): string =>
  proof === undefined
    ? 'not yet proved'
    : `${proof.proved} proved, ${proof.refuted} refuted, ${proof.undecided} undecided`

const proofPaint = ({ status: { proof } }: TenantView, style: Style): ((text: string) => string) =>
  proof === undefined || proof.undecided + proof.proved + proof.refuted === 0
    ? style.dim
    : proof.refuted > 0
      ? style.red
      : proof.undecided > 0
        ? style.yellow
        : style.green

/** `3d`, `5h`, `12m`, `40s`: the largest unit that fits. */
export function age(instant: string, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(instant)) / 1000))
  if (!Number.isFinite(seconds)) return 'unknown'
  const [unit, size] = (
    [
      ['d', 86_400],
      ['h', 3600],
      ['m', 60],
    ] as const
  ).find(([, one]) => seconds >= one) ?? ['s', 1]
  return `${Math.floor(seconds / size)}${unit}`
}

const isSummary = (type: string): boolean => ['Ready', 'Verified', 'NameConflict', 'IsolationBroken'].includes(type)

/** The conditions of layers, as opposed to those of the whole. */
export const layerConditions = (view: TenantView): readonly Condition[] =>
  view.status.conditions.filter(({ type }) => !isSummary(type))

/** Bad news: IsolationBroken and NameConflict are good when False, all others when True. */
export const isGood = ({ type, status }: Condition): boolean =>
  type === 'IsolationBroken' || type === 'NameConflict' ? status === 'False' : status === 'True'

export function tenantTable(views: readonly TenantView[], style: Style, nowMs: number): string {
  if (views.length === 0) return 'No tenants.'
  const rows = views.map((view) => [
    view.metadata.name,
    { text: view.status.phase, paint: phasePaint(view.status.phase, style) },
    view.spec.tier,
    view.spec.environment,
    { text: proofOf(view), paint: proofPaint(view, style) },
    age(view.metadata.creationTimestamp, nowMs),
  ])
  return table(['NAME', 'PHASE', 'TIER', 'ENVIRONMENT', 'ISOLATION', 'AGE'], rows, style)
}

const conditionRows = (conditions: readonly Condition[], style: Style) =>
  conditions.map((condition) => [
    { text: `  ${condition.type}`, paint: style.bold },
    {
      text: condition.status,
      paint: isGood(condition) ? style.green : condition.status === 'Unknown' ? style.yellow : style.red,
    },
    condition.reason,
    condition.nextRetryTime === undefined
      ? condition.message
      : `${condition.message} (next try ${condition.nextRetryTime})`,
  ])

const section = (title: string, conditions: readonly Condition[], style: Style): readonly string[] =>
  conditions.length === 0
    ? []
    : ['', style.bold(title), table(['  TYPE', 'STATUS', 'REASON', 'MESSAGE'], conditionRows(conditions, style), style)]

/** Everything about one tenant: facts, names, conditions, layers, proof. */
export function describeTenant(view: TenantView, style: Style, nowMs: number): string {
  const { metadata, spec, status } = view
  const layers = layerConditions(view)
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['Name', metadata.name],
    ['UID', metadata.uid],
    ['Display name', spec.displayName],
    ['Phase', status.phase],
    [
      'Generation',
      `${metadata.generation} (observed ${status.observedGeneration}, version ${metadata.resourceVersion})`,
    ],
    ['Created', `${metadata.creationTimestamp} (${age(metadata.creationTimestamp, nowMs)} ago)`],
    ['Removal asked', metadata.deletionTimestamp],
    ['Tier', spec.tier],
    ['Environment', spec.environment],
    ['Isolation', spec.isolation],
    ['Region', spec.region],
    ['Residency', spec.residency],
    ['Domain', spec.domain],
    ['Owner', spec.owner?.email],
    ['Administrator', spec.admin?.email],
    [
      'Labels',
      Object.entries(metadata.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(', ') || undefined,
    ],
  ]
  const lines = facts
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${`${name}:`.padEnd(15)} ${printable(value ?? '')}`)
  const names = Object.entries(status.names).map(
    ([what, name]) => `  ${`${printable(what)}:`.padEnd(15)} ${printable(name)}`,
  )
  const proof = status.proof === undefined ? proofOf(view) : `${proofOf(view)} (${status.proof.at})`
  return [
    ...lines,
    ...(names.length > 0 ? ['', style.bold('Names'), ...names] : []),
    ...section(
      'Conditions',
      status.conditions.filter(({ type }) => isSummary(type)),
      style,
    ),
    ...section('Layers', layers, style),
    '',
    style.bold('Proof'),
    `  ${proofPaint(view, style)(printable(proof))}`,
  ].join('\n')
}
