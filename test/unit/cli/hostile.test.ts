import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { RingfenceError } from '../../../src/model/errors.ts'
import { reportOf } from '../../../src/model/verdict.ts'
import { refuted } from '../http/samples.ts'
import { acting, site } from './support.ts'
import type { Site } from './support.ts'

let it: Site
beforeEach(async () => {
  it = await site()
})
afterEach(() => it.close())

describe('strings that attack the terminal', () => {
  const hostile = 'x\u001b]0;owned\u0007\u001b[2J\nfake line\r\u202egnp.exe\u009b31m\u2028'
  beforeEach(async () => {
    await it.cli('tenant create acme')
    it.fake.status('acme', {
      phase: 'Ready',
      names: { [hostile]: hostile },
      conditions: [{ type: 'compute', status: 'False', reason: hostile, message: hostile, lastTransitionTime: 'x' }],
    })
    it.fake.checks = [{ name: hostile, status: 'warning', message: hostile, fix: hostile }]
    const { counterexample } = refuted('acme')
    const verdict = {
      ...refuted('acme'),
      counterexample: {
        ...counterexample,
        subject: hostile,
        object: hostile,
        command: hostile,
        path: [{ from: hostile, to: hostile, rule: hostile, by: hostile }],
      },
    }
    it.fake.report = reportOf(
      [verdict, { claim: hostile, tenant: hostile, verdict: 'undecided', because: [hostile] }],
      'live',
    )
  })
  test.each(['tenant list', 'tenant describe acme', 'tenant plan acme', 'prove', 'doctor'])(
    '%s spells them out',
    async (argv) => {
      const { out, err } = await it.cli(argv)
      expect(out + err).not.toMatch(acting)
      expect(out.split('\n')).not.toContain('fake line')
      if (argv !== 'tenant list') expect(out).toContain('\\x1b]0;owned\\x07')
    },
  )
  test.each(['json', 'yaml'])('%s says them exactly, without a character that acts', async (format) => {
    for (const argv of [`tenant get acme -o ${format}`, `prove -o ${format}`]) {
      const { out } = await it.cli(argv)
      expect(out).not.toMatch(acting)
      const value: unknown = format === 'json' ? JSON.parse(out) : parse(out)
      expect(JSON.stringify(value)).toContain(JSON.stringify(hostile).slice(1, -1))
    }
  })
  test('an event stays one line', async () => {
    it.fake.emit({ tenant: 'acme', type: 'warning', reason: 'X', message: hostile })
    const stopping = new AbortController()
    const ran = await it.cli('tenant watch acme --after 0', {
      signal: stopping.signal,
      watching: () => stopping.abort(),
    })
    expect(ran.out.trimEnd().split('\n')).toHaveLength(1)
    expect(ran.out).not.toMatch(acting)
  })
  test('an error of the server cannot act either', async () => {
    it.fake.failNext = new RingfenceError('Rejected', hostile, {
      problems: [{ path: hostile, reason: hostile, fix: hostile }],
    })
    const { code, err } = await it.cli('tenant get acme')
    expect(code).toBe(1)
    expect(err).not.toMatch(acting)
  })
})
