/**
 * The four described systems as platform documents: their names, defaults and quotas. A document is laid over its
 * preset and wins wherever it says something.
 */
import { deepFreeze, isObject } from './json.ts'
import type { Json, JsonObject } from './json.ts'
import { platformDocument } from './platform.ts'
import type { PlatformDocument } from './platform.ts'

export const presetNames = ['calabi', 'akko', 'omnia', 'aifactory'] as const
export type PresetName = (typeof presetNames)[number]

/** What every platform starts from; a document that names a few quota entries keeps the others. */
const base: JsonObject = { defaults: { quota: platformDocument.parse(empty('base')).spec.defaults.quota } }

const presets: { readonly [name in PresetName]: JsonObject } = {
  calabi: {
    names: {
      namespace: 'calabi-tenant-<name>',
      database: '<name>_db',
      databaseOwner: '<name>_owner',
      databaseLogin: '<name>_user',
      networkPolicy: 'calabi-tenant-isolation',
    },
    defaults: {
      quota: {
        'requests.cpu': '32',
        'requests.memory': '64Gi',
        'limits.cpu': '64',
        'limits.memory': '128Gi',
        persistentvolumeclaims: '20',
        services: '30',
        pods: '100',
      },
    },
  },
  akko: {
    names: {
      namespace: 'akko-<name>',
      database: '<name>_db',
      databaseOwner: '<name>_owner',
      databaseLogin: '<name>_user',
      networkPolicy: 'akko-tenant-isolation',
    },
    // Uninstalling leaves the data by default, so that nothing is deleted by accident.
    defaults: { retain: ['database', 'storage'] },
  },
  omnia: {
    names: { namespace: 'omnia-<name>', networkPolicy: 'workspace-<name>-isolation' },
    kubernetes: { sharedNamespaces: ['omnia-shared'] },
    // A workspace has no database of its own.
    database: { mode: 'none' },
  },
  aifactory: {
    names: { namespace: 'aifactory-tenant-<slug>', networkPolicy: 'aifactory-tenant-isolation' },
    // Organisations share the application's database; one each is a later step of that system.
    database: { mode: 'none' },
    defaults: {
      quota: { pods: '50', persistentvolumeclaims: '20' },
      limits: { cpu: '500m', memory: '512Mi' },
    },
  },
}

function empty(name: string): JsonObject {
  return { apiVersion: 'ringfence.dev/v1alpha1', kind: 'Platform', metadata: { name } }
}

/** The platform of a described system, without anything said about a particular cluster. */
export const presetPlatform = (preset: PresetName): PlatformDocument => complete({ ...empty(preset), spec: { preset } })

/**
 * The platform of `ringfence up` without a document: the embedded servers are ours alone, so additions that break
 * isolation are removed, not only reported.
 */
export const defaultPlatform = (): PlatformDocument =>
  complete({
    ...empty('ringfence'),
    spec: {
      enforcement: 'remove',
      kubernetes: {
        breakGlassGroups: ['ringfence:break-glass'],
        trusted: ['system:masters', 'system:kube-controller-manager', 'system:kube-scheduler', 'ringfence:engines'],
      },
    },
  })

const complete = (document: Json): PlatformDocument => deepFreeze(platformDocument.parse(underPreset(document)))

/** Lays a document over the preset that it names. Pure; wrong shapes are left for the schema to name. */
export function underPreset(document: Json): Json {
  if (!isObject(document)) return document
  const spec = document['spec'] ?? {}
  if (!isObject(spec)) return document
  const preset = presetNames.find((name) => name === spec['preset'])
  const below = preset === undefined ? base : overlay(base, presets[preset])
  return { ...document, spec: overlay(below, spec) }
}

/** Objects are merged key by key, everything else is replaced by what lies above. */
function overlay(below: Json | undefined, above: Json): Json {
  if (!isObject(below) || !isObject(above)) return above
  const merged: { [key: string]: Json } = { ...below }
  for (const [key, value] of Object.entries(above))
    merged[key] = overlay(Object.hasOwn(below, key) ? below[key] : undefined, value)
  return merged
}
