/** What a start tells a person: counts of what was made, and every finding by itself. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ProgressEvent } from '../../../src/engine/control-plane.ts'
import { narrate } from '../../../src/up/narrate.ts'

let sequence = 0
const event = (
  tenant: string,
  type: ProgressEvent['type'],
  reason: string,
  message: string,
  more: Partial<ProgressEvent> = {},
): ProgressEvent => ({
  sequence: (sequence += 1),
  time: '2026-01-01T00:00:00.000Z',
  tenant,
  type,
  reason,
  message,
  ...more,
})

function story() {
  const lines: string[] = []
  return { lines, ...narrate((text) => void lines.push(text)) }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('the story of a start', () => {
  it('counts what is made for each tenant and layer, with the time from the first to the last', () => {
    const told = story()
    told.event(event('acme', 'step', 'Created', 'a created', { layer: 'compute' }))
    told.event(event('globex', 'step', 'Created', 'b created', { layer: 'compute' }))
    told.event(event('acme', 'step', 'Created', 'c created', { layer: 'network', time: '2026-01-01T00:00:00.740Z' }))
    expect(told.lines).toEqual([])
    vi.runAllTimers()
    expect(told.lines).toEqual([
      'globex: 1 object created in 0.0 s',
      'acme: 2 objects created in 0.7 s: compute 1, network 1',
    ])
  })

  it('tells what was found and repaired one by one, after what was counted before', () => {
    const told = story()
    told.event(event('acme', 'step', 'Created', 'a created', { layer: 'compute' }))
    told.event(event('acme', 'drift', 'Lost', 'the fence is gone'))
    told.event(event('acme', 'step', 'Created', 'the fence created (repaired)'))
    told.event(event('acme', 'step', 'Unreachable', 'b: nothing answers'))
    expect(told.lines).toEqual([
      'acme: 1 object created in 0.0 s',
      'acme: the fence is gone',
      'acme: the fence created (repaired)',
      'acme: b: nothing answers',
    ])
  })

  it('tells verdicts and phases only once the backends answer, and the same verdict only once', () => {
    const told = story()
    told.event(event('acme', 'proof', 'Undecided', '0 proved, 7 undecided'))
    told.event(event('acme', 'phase', 'Degraded', 'acme is Degraded'))
    told.attached()
    for (let times = 0; times < 2; times += 1) told.event(event('acme', 'proof', 'Proved', '7 proved, 0 undecided'))
    told.event(event('acme', 'phase', 'Ready', 'acme is Ready'))
    told.event(event('acme', 'drift', 'Lost', 'the fence is gone'))
    told.event(event('acme', 'proof', 'Proved', '7 proved, 0 undecided'))
    expect(told.lines).toEqual([
      'acme: 7 proved, 0 undecided',
      'acme is Ready',
      'acme: the fence is gone',
      'acme: 7 proved, 0 undecided',
    ])
  })

  it('leaves nothing untold at its end', () => {
    const told = story()
    told.event(event('acme', 'step', 'Deleted', 'a deleted', { layer: 'compute' }))
    told.end()
    expect(told.lines).toEqual(['acme: 1 object deleted in 0.0 s'])
    expect(vi.getTimerCount()).toBe(0)
  })
})
