/** Nodes in words for people. What is not known keeps its spelling. */
import { type Node, outsider } from './logic.ts'

const patterns: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^k8s:sa:([^/]+)\/\*$/, ([, namespace]) => `any ServiceAccount of namespace ${namespace}`],
  [/^k8s:sa:(.+)$/, ([, name]) => `ServiceAccount ${name}`],
  [/^k8s:user:(.+)$/, ([, name]) => `User ${name}`],
  [/^k8s:group:(.+)$/, ([, name]) => `Group ${name}`],
  [/^k8s:ns:\*$/, () => 'every namespace'],
  [/^k8s:ns:(.+)$/, ([, name]) => `namespace ${name}`],
  [/^k8s:admin:(.+)$/, ([, name]) => `administration of namespace ${name}`],
  [/^k8s:secret:(.+)$/, ([, name]) => `Secret ${name}`],
  [/^k8s:cluster$/, () => 'the whole cluster'],
  [/^k8s:platform:(.+)$/, ([, what]) => `the platform's ${what}`],
  [/^net:pods:(.+)$/, ([, name]) => `pods of namespace ${name}`],
  [/^pg:role:([^/]+)\/(.+)$/, ([, server, name]) => `role ${name} on ${server}`],
  [/^pg:db:([^/]+)\/(.+)$/, ([, server, name]) => `database ${name} on ${server}`],
  [/^pg:public:(.+)$/, ([, server]) => `every login of ${server}`],
  [/^pg:server:(.+)$/, ([, server]) => `the whole server ${server}`],
  [/^tenant:(.+)$/, ([, name]) => `tenant ${name}`],
]

export function describeNode(node: Node): string {
  if (node === outsider) return 'anyone'
  for (const [pattern, say] of patterns) {
    const match = pattern.exec(node)
    if (match !== null) return say(match)
  }
  return node
}
