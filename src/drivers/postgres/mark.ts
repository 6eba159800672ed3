/**
 * The mark that we leave as a comment on roles and databases: whose it is, and which journal entry made it. For people,
 * and to recognise a create whose answer was lost; never a proof of ownership (DESIGN §3). Visible to every login of a
 * shared server, so it holds nothing but names and ids.
 */
import type { Json } from '../../model/json.ts'
import type { Resource } from '../../model/resource.ts'

export interface Mark {
  readonly tenant: string
  readonly uid: string
  readonly key: string
}

/** The comment of an object made for `resource` by the journal entry `key`. */
export function markText(resource: Resource, key: string): string {
  const { tenant, uid } = markOwner(resource)
  return `ringfence tenant=${tenant} uid=${uid} key=${key}`
}

/** Undefined for anything that we did not write in exactly this form. */
export function parseMark(comment: string | null | undefined): Mark | undefined {
  const found = /^ringfence tenant=(\S+) uid=(\S*) key=(\S*)$/.exec(comment ?? '')
  return found === null ? undefined : { tenant: found[1] ?? '', uid: found[2] ?? '', key: found[3] ?? '' }
}

/** The part of the mark that must stay true for the life of the object; the key only says who made it. */
export const markState = (mark: Mark | undefined): Json =>
  mark === undefined ? null : { tenant: mark.tenant, uid: mark.uid }

export const markOwner = (resource: Resource): { tenant: string; uid: string } =>
  resource.owner === 'platform'
    ? { tenant: 'platform', uid: '-' }
    : { tenant: resource.owner.name, uid: resource.owner.uid }
