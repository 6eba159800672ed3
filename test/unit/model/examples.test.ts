import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { admissionProblems } from '../../../src/model/admit.ts'
import { resolveNames, slugOf } from '../../../src/model/names.ts'
import { parsePlatform, parseTenant } from '../../../src/model/parse.ts'
import type { PlatformSpec } from '../../../src/model/platform.ts'
import { defaultPlatform, presetNames, presetPlatform } from '../../../src/model/presets.ts'

const read = (path: string): unknown =>
  parse(readFileSync(new URL(`../../../examples/${path}`, import.meta.url), 'utf8'))
const uid = '0b7e6b9c-9c55-4a5e-9f5e-0a8b1f3f2c11'
const facts = {
  kubernetes: { medium: 'live', fqdn: 'cilium', ranges: ['10.244.0.0/16'], apiServer: [], resolvers: [] },
} as const

function namesOf(platform: PlatformSpec, path: string) {
  const { metadata, spec } = parseTenant(read(path))
  return resolveNames(platform, { name: metadata.name, slug: slugOf({ name: metadata.name, spec }), uid, spec })
}

describe('the example in the manner of', () => {
  it.each(presetNames)('%s is admitted by its platform', (name) => {
    const platform = parsePlatform(read(`${name}/platform.yaml`)).spec
    expect(admissionProblems(parseTenant(read(`${name}/tenant.yaml`)), { platform, facts, others: [] })).toEqual([])
  })

  it.each([
    ['calabi', { namespace: 'calabi-tenant-acme-corp', database: 'acme-corp_db', databaseLogin: 'acme-corp_user' }],
    ['akko', { namespace: 'akko-climascore', database: 'climascore_db', databaseLogin: 'climascore_user' }],
    ['omnia', { namespace: 'omnia-customer-support', networkPolicy: 'workspace-customer-support-isolation' }],
    ['aifactory', { namespace: 'aifactory-tenant-trading' }],
  ])('%s gets the names that its documents describe', (name, expected) => {
    expect(namesOf(parsePlatform(read(`${name}/platform.yaml`)).spec, `${name}/tenant.yaml`)).toMatchObject(expected)
  })

  it('aifactory is refused where nothing enforces domain rules', () => {
    const platform = parsePlatform(read('aifactory/platform.yaml')).spec
    const bare = { kubernetes: { ...facts.kubernetes, fqdn: undefined } as unknown as (typeof facts)['kubernetes'] }
    const problems = admissionProblems(parseTenant(read('aifactory/tenant.yaml')), {
      platform,
      facts: bare,
      others: [],
    })
    expect(problems.map((one) => one.path)).toEqual(['/spec/network/egress/fqdns'])
  })
})

describe('the presets', () => {
  it('carry the documented quotas', () => {
    expect(presetPlatform('calabi').spec.defaults.quota).toMatchObject({
      'requests.cpu': '32',
      'requests.memory': '64Gi',
      'limits.cpu': '64',
      'limits.memory': '128Gi',
      persistentvolumeclaims: '20',
      services: '30',
      pods: '100',
    })
    const { quota, limits } = presetPlatform('aifactory').spec.defaults
    expect({ ...quota, ...limits }).toMatchObject({
      pods: '50',
      persistentvolumeclaims: '20',
      cpu: '500m',
      memory: '512Mi',
    })
    expect(presetPlatform('akko').spec.defaults.retain).toEqual(['database', 'storage'])
    expect(presetPlatform('omnia').spec.kubernetes.sharedNamespaces).toEqual(['omnia-shared'])
  })
  it.each(presetNames)('%s leaves no node port open', (name) => {
    expect(presetPlatform(name).spec.defaults.quota['services.nodeports']).toBe('0')
  })
})

describe('the quickstart', () => {
  const platform = defaultPlatform().spec
  it('tenants are admitted one beside the other', () => {
    const others = [{ name: 'acme', namespaces: ['ringfence-acme'], groups: ['acme-admins'] }]
    expect(admissionProblems(parseTenant(read('quickstart/acme.yaml')), { platform, others: [] })).toEqual([])
    expect(admissionProblems(parseTenant(read('quickstart/globex.yaml')), { platform, others })).toEqual([])
  })
  it('platform removes additions that break isolation, and is a valid document', () => {
    expect(platform.enforcement).toBe('remove')
    expect(platform.kubernetes.breakGlassGroups).toEqual(['ringfence:break-glass'])
    expect(parsePlatform(defaultPlatform())).toEqual(defaultPlatform())
  })
})
