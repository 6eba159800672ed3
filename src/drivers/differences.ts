/**
 * Where two JSON values differ, as the smallest set of paths. Shared by drivers whose objects are documents; knows no
 * product and no meaning.
 */
import { isObject, jsonEqual, type Json, type JsonObject } from '../model/json.ts'

export interface Difference {
  readonly keys: readonly (string | number)[]
  readonly from: Json | undefined
  readonly to: Json | undefined
}

/**
 * Leaves that differ between what is there (`from`) and what should be (`to`). Lists of one length are compared item
 * by item, others are named whole, since an insertion would shift every index.
 */
export function differences(
  from: Json | undefined,
  to: Json | undefined,
  keys: readonly (string | number)[] = [],
): Difference[] {
  if (jsonEqual(from, to)) return []
  if (isObject(from) && isObject(to)) {
    const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].toSorted()
    return names.flatMap((name) => differences(own(from, name), own(to, name), [...keys, name]))
  }
  if (Array.isArray(from) && Array.isArray(to) && from.length === to.length) {
    return from.flatMap((item: Json, index) => differences(item, to[index] as Json, [...keys, index]))
  }
  return [{ keys, from, to }]
}

const own = (object: JsonObject, name: string): Json | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined

/** The value under a path of keys, or undefined. */
export function valueAt(root: Json | undefined, keys: readonly (string | number)[]): Json | undefined {
  let value: Json | undefined = root
  for (const key of keys) {
    if (Array.isArray(value)) value = value[Number(key)] as Json | undefined
    else if (isObject(value)) value = own(value, String(key))
    else return undefined
  }
  return value
}
