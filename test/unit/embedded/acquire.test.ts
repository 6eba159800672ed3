/** Where the Kubernetes programs come from: the order of sources, and what is said when there is none. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acquireKubernetes } from '../../../src/embedded/kubernetes/acquire.ts'
import { kubernetesVersion, programs, wantedVersion } from '../../../src/embedded/kubernetes/release.ts'
import { closedNetwork, Machine, put, script } from './machine.ts'

let machine: Machine
beforeEach(async () => {
  machine = await Machine.make()
})
afterEach(async () => {
  await machine[Symbol.asyncDispose]()
})

describe('the sources of the Kubernetes programs', () => {
  test('a folder that the user names is taken as it is, and wins', async () => {
    await machine.installGo()
    const folder = join(machine.dir, 'mine')
    for (const program of programs) await put(join(folder, program), script(program, 'v1.34.1'))
    const found = await acquireKubernetes({
      env: machine.environment({ RINGFENCE_KUBE_ASSETS: folder }),
      origins: closedNetwork,
    })
    expect(found).toEqual(Object.fromEntries(programs.map((program) => [program, join(folder, program)])))
    expect(await machine.built()).toEqual([])
  })

  test('a folder that the user names and that lacks a program is refused by that name, not filled', async () => {
    await machine.installGo()
    const folder = join(machine.dir, 'mine')
    for (const program of programs.slice(0, 2)) await put(join(folder, program), script(program))
    await expect(
      acquireKubernetes({ env: machine.environment({ RINGFENCE_KUBE_ASSETS: folder }), origins: closedNetwork }),
    ).rejects.toMatchObject({
      code: 'NotConfigured',
      facts: { program: 'kube-controller-manager' },
    })
    expect(await machine.built()).toEqual([])
  })

  test('a program on PATH is taken only if it has the pinned version', async () => {
    await machine.installGo()
    await put(join(machine.bin, 'etcd'), script('etcd'))
    await put(join(machine.bin, 'kube-apiserver'), script('kube-apiserver', 'v1.33.0'))
    const found = await acquireKubernetes({ env: machine.environment(), origins: closedNetwork })
    expect(found.etcd).toBe(join(machine.bin, 'etcd'))
    expect(found['kube-apiserver']).toBe(join(machine.cache, 'kube-apiserver'))
    expect(await machine.built()).not.toContain('etcd')
  })

  test('what the network does not give is built, in order, with progress, and kept', async () => {
    await machine.installGo()
    const told: string[] = []
    const found = await acquireKubernetes({
      env: machine.environment(),
      origins: closedNetwork,
      progress: (message) => told.push(message),
    })
    expect(found).toEqual(Object.fromEntries(programs.map((program) => [program, join(machine.cache, program)])))
    expect(await machine.built()).toEqual([...programs])
    expect(told).toEqual([
      'downloading etcd (1 of 4)',
      ...programs.map((program, index) => `building ${program} (${index + 1} of 4)`),
    ])
    expect(await machine.kept()).toEqual([...programs].sort())
    await acquireKubernetes({
      env: machine.environment(),
      origins: closedNetwork,
      progress: (message) => told.push(message),
    })
    expect(told).toHaveLength(5)
  })

  test('two at once build each program once', async () => {
    await machine.installGo('go1.26.0', 'sleep 0.2')
    const both = [1, 2].map(() => acquireKubernetes({ env: machine.environment(), origins: closedNetwork }))
    const [first, second] = await Promise.all(both)
    expect(first).toEqual(second)
    expect(await machine.built()).toEqual([...programs])
  })

  test('without download and without Go it says what is missing and what to do', async () => {
    const failure = acquireKubernetes({ env: machine.environment({ PATH: machine.bin }), origins: closedNetwork })
    await expect(failure).rejects.toMatchObject({ code: 'NotConfigured', facts: { program: 'etcd' } })
    await expect(failure).rejects.toThrow(/no Go .*RINGFENCE_KUBE_ASSETS/s)
  })

  test('an old Go fetches the one that is needed, once, and builds with that', async () => {
    await machine.installOldGo()
    const told: string[] = []
    const options = {
      env: machine.environment(),
      origins: closedNetwork,
      progress: (message: string) => told.push(message),
    }
    expect(Object.keys(await acquireKubernetes(options))).toEqual([...programs])
    expect(told[1]).toMatch(/^fetching go1\.\d+\.\d+, since the one installed is go1\.19\.8$/)
    expect(told.filter((message) => message.startsWith('fetching'))).toHaveLength(1)
    expect(await machine.built()).toEqual([...programs])
  })

  test('a Go that is too old even for that is named with its version', async () => {
    await machine.installGo('go1.13.8')
    const failure = acquireKubernetes({ env: machine.environment(), origins: closedNetwork })
    await expect(failure).rejects.toMatchObject({ code: 'NotConfigured', facts: { program: 'etcd' } })
    await expect(failure).rejects.toThrow(/go1\.13\.8/)
  })

  test('a build that fails is told with what Go said, and leaves nothing', async () => {
    await machine.installGo('go1.26.0', 'echo "module lookup disabled" >&2; exit 1')
    const failure = acquireKubernetes({ env: machine.environment(), origins: closedNetwork })
    await expect(failure).rejects.toMatchObject({ code: 'BackendFault', facts: { program: 'etcd' } })
    await expect(failure).rejects.toThrow(/module lookup disabled/)
    expect(await machine.kept()).toEqual([])
  })

  test('a build that makes another version is not used', async () => {
    await machine.installGo()
    await put(join(machine.dir, 'sources', 'etcd'), script('etcd', '3.5.0'))
    await expect(acquireKubernetes({ env: machine.environment(), origins: closedNetwork })).rejects.toMatchObject({
      code: 'Unreadable',
      facts: { program: 'etcd' },
    })
    expect(await machine.kept()).toEqual([])
  })
})

test('the module that is built pins the versions that are asked for', async () => {
  const module = await readFile(join(import.meta.dirname, '../../../src/embedded/kubernetes/build/go.mod'), 'utf8')
  expect(module).toMatch(new RegExp(`^\\s*k8s\\.io/kubernetes ${kubernetesVersion.replaceAll('.', '\\.')}`, 'm'))
  expect(module).toMatch(
    new RegExp(`^\\s*go\\.etcd\\.io/etcd/server/v3 v${wantedVersion('etcd').replaceAll('.', '\\.')}`, 'm'),
  )
})
