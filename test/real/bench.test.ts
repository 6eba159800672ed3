/** The bench runs from end to end and prints each figure beside its floor. What the figures are is nobody's test. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { describeOn } from '../support/servers.ts'

const script = fileURLToPath(new URL('../../bench/run.ts', import.meta.url))
const bench = (...args: string[]) => promisify(execFile)(process.execPath, [script, ...args], { timeout: 200_000 })

/** Rows of the table: what, measured, floor, ratio, target. */
const rowsOf = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| what'))
    .map((line) => line.split('|').map((cell) => cell.trim()))

describe('the bench', () => {
  it('refuses a part that it does not have, and names those it has', async () => {
    await expect(bench('nonsense')).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('provision') })
  })
})

describeOn(['kubernetes', 'postgres18'], 'the bench in its quick mode', () => {
  it('prints a figure, its floor and the ratio for every part, and counts no write to Kubernetes in a calm pass', async () => {
    const { stdout } = await bench('--quick')
    const rows = rowsOf(stdout)
    expect(rows.length).toBeGreaterThanOrEqual(9)
    for (const [, what, measured, floor, ratio] of rows) {
      expect(`${what} ${measured} ${floor}`).toMatch(/\d/)
      if (what?.startsWith('writes') === true) expect(measured).toMatch(/^0 to Kubernetes, /)
      else expect(ratio).toMatch(/^\d+(\.\d+)? (×|%)$/)
    }
  }, 240_000)
})
