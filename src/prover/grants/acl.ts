/**
 * Access lists as PostgreSQL prints them (`aclitem`, manual 5.8), exactly: quoted names, grant options, and the built-in
 * default that stands behind a null list. A letter that this table does not know makes its list undecided.
 */
export interface AclItem {
  /** `''` is PUBLIC. */
  readonly grantee: string
  readonly grantor: string
  /** By letter: whether it may be passed on. */
  readonly privileges: ReadonlyMap<string, boolean>
}

/** Table 5.1 of the manual; `m` exists from 17 on, `s` and `A` from 15 on. */
export const privilegeNames: { readonly [letter: string]: string } = {
  r: 'SELECT', a: 'INSERT', w: 'UPDATE', d: 'DELETE', D: 'TRUNCATE', x: 'REFERENCES', t: 'TRIGGER', m: 'MAINTAIN',
  C: 'CREATE', c: 'CONNECT', T: 'TEMPORARY', X: 'EXECUTE', U: 'USAGE', s: 'SET', A: 'ALTER SYSTEM',
} // prettier-ignore

/** By object type: what the owner and what PUBLIC hold when nobody said anything (`acldefault`). */
const defaults: { readonly [type: string]: readonly [owner: string, everyone: string] } = {
  table: ['arwdDxtm', ''],
  column: ['', ''],
  sequence: ['rwU', ''],
  database: ['CTc', 'Tc'],
  schema: ['UC', ''],
  function: ['X', 'X'],
  type: ['U', 'U'],
  language: ['U', 'U'],
  'foreign data wrapper': ['U', ''],
  'foreign server': ['U', ''],
  'large object': ['rw', ''],
  tablespace: ['C', ''],
  parameter: ['sA', ''],
}

/** Types that have an owner and no list. */
const listless = new Set(['publication', 'subscription', 'event trigger', 'user mapping'])
export const isKnownType = (type: string): boolean => Object.hasOwn(defaults, type) || listless.has(type)

/** Undefined for a text that is not an aclitem, or that names a privilege unknown here. */
export function parseAclItem(text: string): AclItem | undefined {
  const grantee = takeName(text, 0)
  if (grantee === undefined || text[grantee.end] !== '=') return undefined
  const slash = text.indexOf('/', grantee.end)
  if (slash < 0) return undefined
  const grantor = takeName(text, slash + 1)
  if (grantor === undefined || grantor.end !== text.length) return undefined
  const privileges = new Map<string, boolean>()
  let last = ''
  for (const letter of text.slice(grantee.end + 1, slash)) {
    if (letter === '*' && last !== '') privileges.set(last, true)
    else if (Object.hasOwn(privilegeNames, letter)) privileges.set(letter, false)
    else return undefined
    last = letter === '*' ? '' : letter
  }
  return { grantee: grantee.name, grantor: grantor.name, privileges }
}

/** A name as `putid` writes it: in double quotes, doubled inside, unless it is plain. */
function takeName(text: string, start: number): { readonly name: string; readonly end: number } | undefined {
  if (text[start] !== '"') {
    const end = ['=', '/']
      .map((stop) => text.indexOf(stop, start))
      .reduce((a, b) => (b < 0 ? a : Math.min(a, b)), text.length)
    const name = text.slice(start, end)
    return name.includes('"') ? undefined : { name, end }
  }
  let name = ''
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] !== '"') name += text[at]
    else if (text[at + 1] === '"') {
      name += '"'
      at += 1
    } else return { name, end: at + 1 }
  }
  return undefined
}

const itemsOf = (letters: string): ReadonlyMap<string, boolean> =>
  new Map(Array.from(letters).map((letter) => [letter, false]))

/** The items of a list, with null replaced by what it means; undefined when something in it is not understood. */
export function aclItems(type: string, owner: string, acl: readonly string[] | null): readonly AclItem[] | undefined {
  if (acl === null) {
    const known = defaults[type]
    if (known === undefined) return listless.has(type) ? [] : undefined
    const [own, everyone] = known
    return [
      { grantee: owner, grantor: owner, privileges: itemsOf(own) },
      ...(everyone === '' ? [] : [{ grantee: '', grantor: owner, privileges: itemsOf(everyone) }]),
    ]
  }
  const items = acl.map(parseAclItem)
  return items.includes(undefined) ? undefined : (items as readonly AclItem[])
}
