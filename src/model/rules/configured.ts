/** What a document may ask for here: everything that no backend serves yet is refused by name, not ignored. */
import type { Problem } from '../errors.ts'
import { problemAt } from '../problems.ts'
import type { Admission } from './context.ts'

const laterLayers = [
  'storage',
  'lakehouse',
  'identity',
  'secrets',
  'keys',
  'policy',
  'cache',
  'search',
  'dns',
  'cloudIdentity',
] as const

type Path = readonly (string | number)[]

const notConfigured = (path: Path, what: string, fix: string): Problem =>
  problemAt(path, `asks for ${what}, which is not configured on this platform`, fix)

export function configuredProblems({ document, platform }: Admission): readonly Problem[] {
  const { spec } = document
  const asked: (Problem | false)[] = [
    ...laterLayers.map(
      (layer) =>
        spec[layer].mode !== 'none' &&
        notConfigured(
          ['spec', layer, 'mode'],
          `the layer ${layer} (${spec[layer].mode})`,
          'write none, or leave it out',
        ),
    ),
    spec.isolation === 'shared' && notConfigured(['spec', 'isolation'], 'shared isolation', 'write isolated'),
    spec.database.mode === 'dedicated' &&
      notConfigured(['spec', 'database', 'mode'], 'a dedicated database instance', 'write shared or none'),
    spec.database.mode === 'shared' &&
      platform.database.mode === 'none' &&
      notConfigured(['spec', 'database', 'mode'], 'a database', 'write none, or give the platform a database server'),
    spec.database.federated.length > 0 &&
      notConfigured(['spec', 'database', 'federated'], 'federated databases', 'leave it out'),
    spec.parent !== undefined && notConfigured(['spec', 'parent'], 'a parent tenant (hierarchy)', 'leave it out'),
    spec.modules.length > 0 && notConfigured(['spec', 'modules'], 'modules', 'leave it empty'),
    spec.residency !== undefined &&
      notConfigured(['spec', 'residency'], 'a residency, and nothing here could hold it,', 'leave it out'),
    spec.network.egress.gateway !== undefined &&
      notConfigured(['spec', 'network', 'egress', 'gateway'], 'a fixed outgoing address', 'leave it out'),
    spec.access.anonymous.enabled &&
      notConfigured(['spec', 'access', 'anonymous', 'enabled'], 'anonymous access', 'write false'),
    spec.lifecycle.noticeDays > 0 &&
      notConfigured(['spec', 'lifecycle', 'noticeDays'], 'a notice period', 'write 0, or leave it out'),
    spec.lifecycle.legalHold && notConfigured(['spec', 'lifecycle', 'legalHold'], 'a legal hold', 'write false'),
    ...Object.keys(spec.compute.custom).map((counter) =>
      notConfigured(['spec', 'compute', 'custom', counter], `the counter ${counter}`, 'leave it out'),
    ),
  ]
  return asked.filter((problem) => problem !== false)
}
