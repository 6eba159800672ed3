/** Looking into Kubernetes objects that nobody has checked: what is not there, or not of that shape, is undefined. */
import { isObject, type Json } from '../../model/json.ts'

export const child = (value: unknown, key: string): Json | undefined => {
  const json = value as Json
  return isObject(json) ? json[key] : undefined
}

export const at = (value: unknown, path: readonly string[]): Json | undefined =>
  path.reduce<Json | undefined>((current, key) => child(current, key), value as Json | undefined)

/** The items of a list; none when it is no list. */
export const items = (value: Json | undefined): readonly Json[] =>
  Array.isArray(value) ? (value as readonly Json[]) : []

/** The API group of an `apiVersion`; empty for the core. */
export const groupOf = (apiVersion: string): string => /^([^/]*)\//.exec(apiVersion)?.[1] ?? ''
