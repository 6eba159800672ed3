/** Plans as text for people: what would be made, changed field by field, replaced, removed, and the verdict on it. */
import type { PlanView, StepVerb } from '../../engine/control-plane.ts'
import type { Json } from '../../model/json.ts'
import { excerpt, printable } from '../../model/printable.ts'
import type { Style } from '../io.ts'

const marks: { readonly [verb in StepVerb]: string } = {
  create: '+',
  update: '~',
  replace: '±',
  delete: '-',
  adopt: '>',
  release: '<',
  none: ' ',
}

const paintOf = (verb: StepVerb, destructive: boolean, style: Style): ((text: string) => string) => {
  if (destructive) return style.red
  return verb === 'create' || verb === 'adopt' ? style.green : verb === 'none' ? style.dim : style.yellow
}

const shown = (value: Json | undefined): string =>
  value === undefined ? '(absent)' : excerpt(JSON.stringify(value), 120)

const counted = (plan: PlanView): string => {
  const of = (verb: StepVerb): number => plan.steps.filter((step) => step.verb === verb).length
  const parts = (['create', 'adopt', 'update', 'replace', 'delete', 'release'] as const)
    .map((verb) => [verb, of(verb)] as const)
    .filter(([, count]) => count > 0)
    .map(([verb, count]) => `${count} to ${verb}`)
  return `${parts.length === 0 ? 'Nothing to change' : parts.join(', ')}; ${of('none')} up to date.`
}

/** The steps and what is in their way; objects that are up to date are only counted. */
export function planText(plan: PlanView, style: Style): string {
  const steps = plan.steps
    .filter(({ verb }) => verb !== 'none')
    .flatMap(({ verb, kind, externalName, destructive, drift, why }) => [
      paintOf(
        verb,
        destructive,
        style,
      )(
        `${marks[verb]} ${verb.padEnd(7)} ${printable(kind)} ${printable(externalName)}${destructive ? '  destructive' : ''}${why === '' ? '' : ` (${printable(why)})`}`,
      ),
      ...drift.map(
        ({ path, from, to, how }) =>
          `            ${printable(path)}: ${shown(from)} → ${shown(to)}${how === 'update' ? '' : ` (${how})`}`,
      ),
    ])
  const blocked = plan.blocked.map(({ address, reason, message }) =>
    style.yellow(`! blocked ${printable(address)}: ${printable(message)} (${printable(reason)})`),
  )
  return [style.bold(`Plan for tenant ${printable(plan.tenant)}`), ...steps, ...blocked, counted(plan)].join('\n')
}
