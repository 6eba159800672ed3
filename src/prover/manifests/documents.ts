/**
 * Texts to Kubernetes objects: many documents a file, lists taken apart. What is no object, or not certainly the object
 * that a cluster would get (templates, overlays, repeated keys), is said by file and document.
 */
import { type Document, parseAllDocuments } from 'yaml'
import { isObject } from '../../model/json.ts'
import { excerpt } from '../../model/printable.ts'
import type { KubeObject, Unreadable } from '../../model/world.ts'
import type { ManifestFile } from './files.ts'

/** Aliases that one document may expand; a document that multiplies itself is refused (a "billion laughs"). */
const aliasLimit = 200
const listLimit = 8

/** Kinds whose strings may hold anything; in all others a template's braces mean that the file is not finished. */
const freeText = new Set([
  'ConfigMap',
  'Secret',
  'CustomResourceDefinition',
  'Workflow',
  'WorkflowTemplate',
  'CronWorkflow',
  'PrometheusRule',
  'GrafanaDashboard',
])

export function objectsOf(file: ManifestFile, unreadable: Unreadable[]): readonly KubeObject[] {
  const { path, text } = file
  let documents: readonly Document[]
  try {
    documents = parseAllDocuments(text, {
      uniqueKeys: true,
      stringKeys: true,
      prettyErrors: false,
      logLevel: 'silent',
    }) as readonly Document[]
  } catch (error) {
    unreadable.push({ product: 'file', what: path, why: `is not YAML (${reasonOf(error)})` })
    return []
  }
  return documents.flatMap((document, index) => {
    const what = documents.length > 1 ? `${path} (document ${index + 1})` : path
    const fail = (why: string): void => void unreadable.push({ product: 'file', what, why })
    const error = document.errors[0]
    if (error !== undefined) {
      fail(text.includes('{{') ? 'is a template; render it first' : `is not YAML (${reasonOf(error)})`)
      return []
    }
    try {
      const value: unknown = document.toJS({ maxAliasCount: aliasLimit })
      return value === null || value === undefined ? [] : expand(value, fail, 0)
    } catch (failure) {
      fail(`cannot be taken apart (${reasonOf(failure)})`)
      return []
    }
  })
}

const reasonOf = (error: unknown): string => excerpt(error instanceof Error ? error.message : String(error), 160)

type Fail = (why: string) => void

/** One value: an object, or a list of them. */
function expand(value: unknown, fail: Fail, depth: number): readonly KubeObject[] {
  if (Array.isArray(value) && depth < listLimit) return value.flatMap((item: unknown) => expand(item, fail, depth + 1))
  if (!isObject(value)) return refuse(fail, 'holds something that is not an object')
  const { apiVersion, kind, items } = value
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || apiVersion === '' || kind === '') {
    return refuse(fail, 'holds something without apiVersion and kind')
  }
  if (kind.endsWith('List') && Array.isArray(items)) {
    if (depth >= listLimit) return refuse(fail, 'nests lists too deeply')
    // Typed lists leave the kind of their items out.
    const inner = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -4) }
    return items.flatMap((item: unknown) => expand(isObject(item) ? { ...inner, ...item } : item, fail, depth + 1))
  }
  if (apiVersion.startsWith('kustomize.config.k8s.io/')) {
    return isPlainKustomization(value)
      ? []
      : refuse(fail, `is a ${excerpt(kind, 40)}, which changes other files; build it first`)
  }
  return objectFrom({ ...value, apiVersion, kind }, fail)
}

const isPlainKustomization = (value: object): boolean =>
  Object.keys(value).every((key) => ['apiVersion', 'kind', 'metadata', 'resources'].includes(key))

function objectFrom(
  value: { readonly apiVersion: string; readonly kind: string; readonly [field: string]: unknown },
  fail: Fail,
): readonly KubeObject[] {
  const { metadata, kind } = value
  if (!isObject(metadata)) return refuse(fail, `holds a ${excerpt(kind, 40)} without metadata`)
  const { namespace, labels, annotations } = metadata
  const name = metadata['name'] ?? metadata['generateName']
  if (typeof name !== 'string' || name === '') return refuse(fail, `holds a ${excerpt(kind, 40)} without a name`)
  const called = `${excerpt(kind, 40)} ${excerpt(name)}`
  if (namespace !== undefined && namespace !== null && typeof namespace !== 'string')
    return refuse(fail, `${called} has a namespace that is not a text`)
  if (!isTexts(labels)) return refuse(fail, `${called} has labels that are not texts`)
  if (!isTexts(annotations)) return refuse(fail, `${called} has annotations that are not texts`)
  if (
    !freeText.has(kind) &&
    /\{\{|\$\{/.test(
      JSON.stringify(kind.endsWith('NetworkPolicy') || isDecisive(value) ? value : { name, namespace, labels }),
    )
  ) {
    return refuse(fail, `${called} holds placeholders of a template; render it first`)
  }
  const { namespace: _, labels: __, annotations: ___, ...rest } = metadata
  return [
    {
      ...value,
      metadata: {
        ...rest,
        name,
        ...(typeof namespace === 'string' && namespace !== '' ? { namespace } : {}),
        ...(isObject(labels) ? { labels: labels as { [key: string]: string } } : {}),
        ...(isObject(annotations) ? { annotations: annotations as { [key: string]: string } } : {}),
      },
    },
  ]
}

/** Objects whose every word decides about isolation. */
export const isDecisive = ({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): boolean =>
  apiVersion.startsWith('rbac.authorization.k8s.io/') ||
  kind === 'Namespace' ||
  kind === 'NetworkPolicy' ||
  kind === 'ServiceAccount'

const isTexts = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (isObject(value) && Object.values(value).every((item) => typeof item === 'string'))

function refuse(fail: Fail, why: string): readonly KubeObject[] {
  fail(why)
  return []
}
