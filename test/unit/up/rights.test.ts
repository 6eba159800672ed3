/** What an administrator is asked to apply to a cluster before Ringfence runs there. */
import { expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { defaultPlatform } from '../../../src/model/presets.ts'
import { installationText } from '../../../src/up/kubernetes.ts'

interface Manifest {
  readonly kind: string
  readonly subjects?: readonly unknown[]
  readonly rules?: readonly { readonly verbs: readonly string[]; readonly resources?: readonly string[] }[]
}

it('the printed rights are whole manifests, bind the control plane by name, and are not those of an administrator', async () => {
  const { spec } = defaultPlatform()
  const platform = { ...spec, kubernetes: { ...spec.kubernetes, systemNamespace: 'fences' } }
  const documents = parseAllDocuments(await installationText(platform))
  expect(documents.flatMap((document) => ('errors' in document ? document.errors : []))).toEqual([])
  const manifests = documents.map((document) => document.toJS() as Manifest)
  expect(manifests.map(({ kind }) => kind)).toEqual(['CustomResourceDefinition', 'ClusterRole', 'ClusterRoleBinding'])
  expect(manifests[2]?.subjects).toContainEqual({
    kind: 'ServiceAccount',
    apiGroup: '',
    name: 'ringfence-engine',
    namespace: 'fences',
  })
  const rules = manifests[1]?.rules ?? []
  expect(rules.length).toBeGreaterThan(5)
  expect(rules.filter(({ verbs, resources }) => verbs.includes('*') && resources?.includes('*') === true)).toEqual([])
})
