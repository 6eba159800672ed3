import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { changesOf } from '../../../src/drivers/postgres/changes.ts'
import { type Connections, createConnections } from '../../../src/drivers/postgres/connection.ts'
import type { BackendChange } from '../../../src/model/driver.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { adminOf, sqlAs } from '../../support/database-tenant.ts'
import { poll } from '../../support/kubernetes-api.ts'
import { describeOn, servers } from '../../support/servers.ts'

const own = `chg${randomBytes(4).toString('hex')}`
const [role, other, bystander, database] = [`${own}_role`, `${own}_other`, `${own}_bystander`, `${own}_db`]

describeOn(['postgres18', 'postgres15'], 'changes of the shared catalogs', () => {
  for (const version of ['postgres18', 'postgres15'] as const) {
    let connections: Connections
    const told: string[] = []
    const stop = new AbortController()
    let done: Promise<void>
    const access = () => servers()[version]
    const sql = (...statements: readonly string[]) => sqlAs(access(), adminOf(access()), ...statements)

    beforeAll(async () => {
      for (const name of [role, other, bystander]) await sql(`create role ${name} login`)
      await sql(`create database ${database} template template0`)
      connections = createConnections(access())
      done = (async () => {
        for await (const change of changesOf(connections, stop.signal, 50))
          told.push(change === 'resync' ? change : `${change.kind} ${change.externalName}`)
      })()
      // The first look is what the later ones are compared with.
      await tellsAfter(`create role ${own}_first`, `postgres/Role ${own}_first`)
    })
    afterAll(async () => {
      stop.abort()
      await done
      await connections.close()
      await sql(
        `drop database ${database}`,
        `drop role ${role}`,
        `drop role ${other}`,
        `drop role ${bystander}`,
        `drop role if exists ${own}_first`,
      )
    })

    const tellsAfter = async (statement: string, ...expected: readonly string[]) => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      told.length = 0
      await sql(statement)
      await poll(
        `${statement} to be told`,
        async () => (expected.every((one) => told.includes(one)) ? true : undefined),
        5_000,
      )
    }

    it.each([
      [`alter role ${role} createrole`, [`postgres/Role ${role}`]],
      [`alter role ${role} password 'changed'`, [`postgres/Role ${role}`]],
      [`grant ${role} to ${other}`, [`postgres/Role ${role}`, `postgres/Role ${other}`]],
      [`revoke ${role} from ${other}`, [`postgres/Role ${role}`, `postgres/Role ${other}`]],
      [`alter role ${role} set search_path = public`, [`postgres/Role ${role}`]],
      [
        `alter role ${role} in database ${database} set work_mem = '8MB'`,
        [`postgres/Role ${role}`, `postgres/Database ${database}`],
      ],
      [`comment on role ${role} is 'another mark'`, [`postgres/Role ${role}`]],
      [`comment on database ${database} is 'another mark'`, [`postgres/Database ${database}`]],
      [`grant connect on database ${database} to ${other}`, [`postgres/Database ${database}`]],
      [`alter database ${database} owner to ${role}`, [`postgres/Database ${database}`]],
      [`alter database ${database} owner to postgres`, [`postgres/Database ${database}`]],
      [`drop role ${own}_first`, [`postgres/Role ${own}_first`]],
    ])(`${version}: %s`, async (statement, expected) => {
      await tellsAfter(statement, ...expected)
      expect(told).not.toContain(`postgres/Role ${bystander}`)
    })
  }

  it('tells once that a server ceased to answer, and what changed meanwhile when it is back', async () => {
    const real = createConnections(servers().postgres18)
    let down = false
    const flaky: Connections = {
      ...real,
      run: (...call) => (down ? Promise.reject(new RingfenceError('Unreachable', 'down')) : real.run(...call)),
    }
    const stop = new AbortController()
    const told: BackendChange[] = []
    const done = (async () => {
      for await (const change of changesOf(flaky, stop.signal, 30)) told.push(change)
    })()
    const mine = () => told.filter((change) => change === 'resync' || change.externalName === `${own}_late`)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(mine()).toEqual([])
    down = true
    await expect.poll(mine).toEqual(['resync'])
    const access = servers().postgres18
    await sqlAs(access, adminOf(access), `create role ${own}_late`)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(mine()).toEqual(['resync'])
    down = false
    await expect.poll(mine).toEqual(['resync', { kind: 'postgres/Role', externalName: `${own}_late` }])
    stop.abort()
    await done
    await sqlAs(access, adminOf(access), `drop role ${own}_late`)
    await real.close()
  })
})
