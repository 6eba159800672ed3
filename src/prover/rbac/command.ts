/** The kubectl command that shows what a principal may do. Every argument is quoted for a POSIX shell. */
import { shellQuote, type Node } from '../logic.ts'
import type { Match } from './profile.ts'

/** `--as` arguments for a node; a group needs some user, and no user of that name need exist. */
function acting(node: Node): readonly string[] {
  const rest = node.slice(node.indexOf(':', 4) + 1)
  if (node.startsWith('k8s:sa:')) {
    const slash = rest.indexOf('/')
    const name = rest.slice(slash + 1)
    return [`--as=system:serviceaccount:${rest.slice(0, slash)}:${name === '*' ? 'default' : name}`]
  }
  if (node === 'k8s:group:system:unauthenticated' || node === 'k8s:user:system:anonymous')
    return ['--as=system:anonymous', '--as-group=system:unauthenticated']
  if (node.startsWith('k8s:user:')) return [`--as=${rest}`, '--as-group=system:authenticated']
  const others = rest === 'system:authenticated' ? [] : ['--as-group=system:authenticated']
  return ['--as=someone', `--as-group=${rest}`, ...others]
}

const place = (namespace: string | undefined): readonly string[] =>
  namespace === undefined ? [] : namespace === '*' ? ['--all-namespaces'] : ['-n', namespace]

/** `namespace` undefined for what lives outside namespaces, `*` for all of them. */
export function commandOf(node: Node, match: Match, namespace: string | undefined): string {
  const start = ['kubectl', ...acting(node)]
  return [...start, ...actOf(match, namespace)].map((argument) => shellQuote(argument)).join(' ')
}

function actOf(match: Match, namespace: string | undefined): readonly string[] {
  const { act, verb, group, names } = match
  const [plain, subresource] = match.resource.split('/') as [string, string | undefined]
  const name = names[0]
  if (match.resource.startsWith('/'))
    return [verb === 'get' ? 'get' : 'create', '--raw', match.resource.replace(/\*$/, '')]
  const home = namespace === '*' && act !== undefined && !act.startsWith('get') ? 'kube-system' : namespace
  if (act !== undefined && name === undefined) return [...act.split(' '), ...place(home)]
  if (match.resource === '*')
    return verb === '*' || verb === 'get' || verb === 'list'
      ? ['get', 'secrets', ...place(namespace)]
      : ['auth', 'can-i', verb, '*.*', ...place(namespace)]
  const full = group === '' || group === '*' ? plain : `${plain}.${group}`
  if (
    (verb === 'get' || verb === 'list' || verb === '*') &&
    subresource === undefined &&
    (name === undefined || namespace !== '*')
  ) {
    return ['get', full, ...(name === undefined ? [] : [name]), ...place(namespace)]
  }
  const object = name === undefined ? full : `${full}/${name}`
  return [
    'auth',
    'can-i',
    verb,
    object,
    ...(subresource === undefined ? [] : [`--subresource=${subresource}`]),
    ...place(namespace),
  ]
}
