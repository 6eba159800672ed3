/** What an interruption, a damaged cache, a bad download or a closed network does to getting the Kubernetes programs. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acquireKubernetes } from '../../../src/embedded/kubernetes/acquire.ts'
import { programs } from '../../../src/embedded/kubernetes/release.ts'
import { closedNetwork, digest, isAlive, Machine, put, script } from './machine.ts'

let machine: Machine
beforeEach(async () => {
  machine = await Machine.make()
})
afterEach(async () => {
  await machine[Symbol.asyncDispose]()
})

describe('healing', () => {
  test('a truncated and a wrong program are thrown away and made anew, the sound ones kept', async () => {
    await machine.installGo()
    await acquireKubernetes({ env: machine.environment(), origins: closedNetwork })
    await truncate(join(machine.cache, 'kube-apiserver'), 7)
    await put(join(machine.cache, 'kubectl'), script('kubectl', 'v1.30.0'))
    await put(join(machine.cache, '.etcd.abcd.tmp'), 'half')
    await acquireKubernetes({ env: machine.environment(), origins: closedNetwork })
    expect((await machine.built()).slice(4)).toEqual(['kube-apiserver', 'kubectl'])
    expect(await machine.kept()).toEqual([...programs].sort())
    expect(await readFile(join(machine.cache, 'kube-apiserver'), 'utf8')).toBe(script('kube-apiserver'))
  })

  test('a start killed in the middle of a build leaves no process, and the next start finishes the work', async () => {
    await machine.installGo(
      'go1.26.0',
      `if [ $program = kube-apiserver ] && [ ! -e ${join(machine.dir, 'again')} ]; then touch ${join(machine.dir, 'again')}; echo $$ > ${join(machine.dir, 'pid')}; sleep 300; fi`,
    )
    const source = `import { acquireKubernetes } from ${JSON.stringify(join(import.meta.dirname, '../../../src/embedded/kubernetes/acquire.ts'))}
      await acquireKubernetes({ origins: ${JSON.stringify(closedNetwork)} })`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
      env: machine.environment(),
      stdio: 'ignore',
    })
    const building = async (): Promise<number> =>
      Number(await readFile(join(machine.dir, 'pid'), 'utf8').catch(() => '0'))
    await expect.poll(building, { timeout: 20_000 }).toBeGreaterThan(0)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const pid = await building()
    await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false)
    await acquireKubernetes({ env: machine.environment(), origins: closedNetwork })
    expect(await machine.built()).toEqual(['etcd', 'kube-apiserver', ...programs.slice(1)])
    expect(await machine.kept()).toEqual([...programs].sort())
  })

  test('an aborted build stops and is not taken for done', async () => {
    await machine.installGo('go1.26.0', `echo $$ > ${join(machine.dir, 'pid')}; sleep 300`)
    const abort = new AbortController()
    const failure = acquireKubernetes({ env: machine.environment(), origins: closedNetwork, signal: abort.signal })
    failure.catch(() => undefined)
    await expect
      .poll(() => readFile(join(machine.dir, 'pid'), 'utf8').catch(() => ''), { timeout: 20_000 })
      .not.toBe('')
    abort.abort(new Error('enough'))
    await expect(failure).rejects.toThrow('enough')
    expect(isAlive(Number(await readFile(join(machine.dir, 'pid'), 'utf8')))).toBe(false)
    expect(await machine.kept()).toEqual([])
  })
})

describe.runIf(process.platform === 'linux')('downloads', () => {
  test('whose SHA-256 is right are used, and nothing is built', async () => {
    await machine.installGo()
    const etcd = await machine.etcdArchive()
    const { origins } = await machine.serve((path) => {
      if (path.endsWith('/SHA256SUMS'))
        return `${'0'.repeat(64)}  other.tar.gz\n${digest(etcd.content)}  ${etcd.name}\n`
      if (path.endsWith(etcd.name)) return etcd.content
      const program = programs.find((name) => path.replace(/\.sha256$/, '').endsWith(`/${name}`))
      if (program === undefined) return undefined
      return path.endsWith('.sha256') ? digest(script(program)) : script(program)
    })
    const found = await acquireKubernetes({ env: machine.environment(), origins })
    expect(found.etcd).toBe(join(machine.cache, 'etcd'))
    expect(await machine.built()).toEqual([])
    expect(await machine.kept()).toEqual([...programs].sort())
  })

  test('whose SHA-256 is wrong are thrown away, and the program is built', async () => {
    await machine.installGo()
    const etcd = await machine.etcdArchive()
    const { origins, asked } = await machine.serve((path) =>
      path.endsWith('/SHA256SUMS') ? `${'ab'.repeat(32)}  ${etcd.name}\n` : etcd.content,
    )
    await acquireKubernetes({ env: machine.environment(), origins })
    expect(asked.some((path) => path.endsWith(etcd.name))).toBe(true)
    expect(await machine.built()).toEqual([...programs])
    expect(await readFile(join(machine.cache, 'etcd'), 'utf8')).toBe(script('etcd'))
  })

  test('without a published SHA-256 are not even fetched', async () => {
    await machine.installGo()
    const etcd = await machine.etcdArchive()
    const { origins, asked } = await machine.serve((path) =>
      path.endsWith('/SHA256SUMS') ? `${'ab'.repeat(32)}  other\n` : etcd.content,
    )
    await acquireKubernetes({ env: machine.environment(), origins })
    expect(asked).toEqual([expect.stringMatching(/SHA256SUMS$/)])
    expect(await machine.built()).toEqual([...programs])
  })

  test('from a server that never answers are given up within seconds, once', async () => {
    await machine.installGo()
    const { origins, asked } = await machine.serve(() => null)
    const before = Date.now()
    await acquireKubernetes({ env: machine.environment(), origins })
    expect(Date.now() - before).toBeLessThan(12_000)
    expect(asked).toHaveLength(1)
    expect(await machine.built()).toEqual([...programs])
  })
})
