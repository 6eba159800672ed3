/** Entity tags (RFC 9110 §8.8.3, §13.1): a tenant's resource version as a strong tag, and the conditions on it. */
import type { FastifyRequest } from 'fastify'
import { RingfenceError } from '../model/errors.ts'

export const etagOf = (resourceVersion: string): string => `"${resourceVersion}"`

/** `*`, or the versions of the strong tags named; weak tags never match, so they are left out. */
export type TagCondition = '*' | readonly string[]

const tag = /\s*(W\/)?"([\x21\x23-\x7e]*)"\s*(?:,|$)/gy

/** Reads `If-Match` or `If-None-Match`; undefined without the header, `Usage` for one that is not a list of tags. */
export function tagsOf(request: FastifyRequest, header: 'if-match' | 'if-none-match'): TagCondition | undefined {
  const value = request.headers[header]
  if (value === undefined) return undefined
  if (value.trim() === '*') return '*'
  const versions: string[] = []
  let end = 0
  for (const match of value.matchAll(tag)) {
    end = match.index + match[0].length
    // If-None-Match compares weakly (RFC 9110 §13.1.2), If-Match does not.
    if (match[1] === undefined || header === 'if-none-match') versions.push(match[2] ?? '')
  }
  if (end !== value.length) throw new RingfenceError('Usage', `${header} is not a list of entity tags such as "42".`)
  return versions
}

export const matches = (condition: TagCondition, resourceVersion: string): boolean =>
  condition === '*' || condition.includes(resourceVersion)
