/**
 * Brings what we ask for and what the API server gives back to one form: its defaults filled in, quantities in one
 * spelling, empty lists left out where the API does not keep them. One normaliser a kind; pure.
 */
import { isObject, type Json, type JsonObject } from '../../model/json.ts'
import { canonicalQuantity } from './quantity.ts'

type Normaliser = (fields: JsonObject) => JsonObject

/** Everything of a manifest that fences: all top-level fields but identity, metadata and status. */
export function fencingFields(kind: string, manifest: JsonObject): JsonObject {
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, status: _status, ...fields } = manifest
  const normalise = normalisers[kind]
  return normalise ? normalise(fields) : fields
}

const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [])
const object = (value: Json | undefined): JsonObject => (isObject(value) ? value : {})
const mapObjects = (value: Json | undefined, map: (item: JsonObject) => JsonObject): Json[] =>
  list(value).map((item) => (isObject(item) ? map(item) : item))

/** Go's `omitempty`: built-in types keep neither nulls nor empty lists, nor the empty maps named. */
const emptyMaps = new Set([
  'matchLabels',
  'data',
  'binaryData',
  'hard',
  'default',
  'defaultRequest',
  'max',
  'min',
  'maxLimitRequestRatio',
])
function dropEmpty(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => dropEmpty(item))
  if (!isObject(value)) return value
  const entries = Object.entries(value).map(([key, inner]) => [key, dropEmpty(inner)] as const)
  return Object.fromEntries(
    entries.filter(([key, inner]) => {
      if (inner === null) return false
      if (Array.isArray(inner)) return inner.length > 0
      return !(emptyMaps.has(key) && isObject(inner) && Object.keys(inner).length === 0)
    }),
  )
}
const dropEmptyObject = (value: JsonObject): JsonObject => dropEmpty(value) as JsonObject

const quantities = (value: Json | undefined): JsonObject =>
  Object.fromEntries(
    Object.entries(object(value)).map(([name, quantity]) => [name, canonicalQuantity(String(quantity))]),
  )

/** Source of the defaults: pkg/apis/networking/v1/defaults.go. */
const networkPolicy: Normaliser = (fields) => {
  const spec = object(fields['spec'])
  const rules = (value: Json | undefined): Json[] =>
    mapObjects(value, (rule) =>
      rule['ports'] === undefined
        ? rule
        : { ...rule, ports: mapObjects(rule['ports'], (port) => ({ protocol: 'TCP', ...port })) },
    )
  const egress = rules(spec['egress'])
  const types = list(spec['policyTypes'])
  return dropEmptyObject({
    ...fields,
    spec: {
      ...spec,
      podSelector: object(spec['podSelector']),
      ingress: rules(spec['ingress']),
      egress,
      policyTypes:
        types.length > 0 ? types.map(String).toSorted() : ['Egress', 'Ingress'].slice(egress.length > 0 ? 0 : 1),
    },
  })
}

const resourceQuota: Normaliser = (fields) => {
  const spec = object(fields['spec'])
  return dropEmptyObject({ ...fields, spec: { ...spec, hard: quantities(spec['hard']) } })
}

/** Source of the defaults: pkg/apis/core/v1/defaults.go, SetDefaults_LimitRangeItem. */
const limitRange: Normaliser = (fields) => {
  const limits = mapObjects(object(fields['spec'])['limits'], (limit) => {
    const [max, min] = [quantities(limit['max']), quantities(limit['min'])]
    const container = limit['type'] === 'Container'
    const byDefault = container ? { ...max, ...quantities(limit['default']) } : quantities(limit['default'])
    const requests = quantities(limit['defaultRequest'])
    const defaultRequest = container ? { ...min, ...byDefault, ...requests } : requests
    return {
      ...limit,
      max,
      min,
      default: byDefault,
      defaultRequest,
      maxLimitRequestRatio: quantities(limit['maxLimitRequestRatio']),
    }
  })
  return dropEmptyObject({ ...fields, spec: { ...object(fields['spec']), limits } })
}

/** Token and pull secrets are put there by controllers; what the account may be used for is the automount alone. */
const serviceAccount: Normaliser = (fields) =>
  fields['automountServiceAccountToken'] === undefined
    ? {}
    : { automountServiceAccountToken: fields['automountServiceAccountToken'] }

const rbacGroup = 'rbac.authorization.k8s.io'
const binding: Normaliser = (fields) =>
  dropEmptyObject({
    ...fields,
    roleRef: { apiGroup: rbacGroup, ...object(fields['roleRef']) },
    subjects: mapObjects(fields['subjects'], (subject) => ({
      ...subject,
      apiGroup: subject['apiGroup'] || (subject['kind'] === 'ServiceAccount' ? '' : rbacGroup),
    })),
  })

/** With an aggregation rule the controller owns `rules`. */
const role: Normaliser = (fields) => {
  const { rules: _rules, ...others } = fields
  return dropEmptyObject(isObject(fields['aggregationRule']) ? others : fields)
}

/** Source of the defaults: pkg/apis/admissionregistration/v1/defaults.go. */
const matchResources = (value: Json | undefined): JsonObject => {
  const match = object(value)
  const rules = (rule: JsonObject): JsonObject => ({ scope: '*', ...rule })
  return {
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    ...match,
    resourceRules: mapObjects(match['resourceRules'], rules),
    excludeResourceRules: mapObjects(match['excludeResourceRules'], rules),
  }
}
const admissionPolicy: Normaliser = (fields) => {
  const spec = object(fields['spec'])
  return dropEmptyObject({
    ...fields,
    spec: { failurePolicy: 'Fail', ...spec, matchConstraints: matchResources(spec['matchConstraints']) },
  })
}
const admissionBinding: Normaliser = (fields) => {
  const spec = object(fields['spec'])
  return dropEmptyObject({
    ...fields,
    spec: {
      ...spec,
      ...(isObject(spec['matchResources']) ? { matchResources: matchResources(spec['matchResources']) } : {}),
    },
  })
}

/** Source of the defaults: apiextensions/v1/defaults.go. */
const customResourceDefinition: Normaliser = (fields) => {
  const { preserveUnknownFields, ...spec } = object(fields['spec'])
  const names = object(spec['names'])
  const kind = String(names['kind'] ?? '')
  const kept = preserveUnknownFields === true ? { preserveUnknownFields } : {}
  return {
    ...fields,
    spec: {
      conversion: { strategy: 'None' },
      ...spec,
      ...kept,
      names: { listKind: `${kind}List`, singular: kind.toLowerCase(), ...names },
    },
  }
}

const normalisers: { readonly [kind: string]: Normaliser } = {
  /** A namespace is its labels; the finalizers in its spec belong to the API server. */
  Namespace: () => ({}),
  NetworkPolicy: networkPolicy,
  ResourceQuota: resourceQuota,
  LimitRange: limitRange,
  ServiceAccount: serviceAccount,
  ConfigMap: dropEmptyObject,
  Role: role,
  ClusterRole: role,
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  ValidatingAdmissionPolicy: admissionPolicy,
  ValidatingAdmissionPolicyBinding: admissionBinding,
  CustomResourceDefinition: customResourceDefinition,
}
