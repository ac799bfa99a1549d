import { describe, expect, it } from 'vitest'

import { backoffMs } from '../src/backoff.ts'
import { formatLine } from '../src/logger.ts'

const policy = { initialMs: 1000, maxMs: 60_000 }

describe('back-off', () => {
  it('doubles its bound up to the limit', () => {
    const almost = () => 0.999_999
    const waits = [1, 2, 3, 7, 5000].map((failures) =>
      Math.round(backoffMs(policy, failures, almost)),
    )
    expect(waits).toEqual([1000, 2000, 4000, 60_000, 60_000])
  })

  it('spreads over the whole range, so that workers do not come back together (D-21)', () => {
    expect(backoffMs(policy, 3, () => 0)).toBe(0)
    expect(backoffMs(policy, 3, () => 0.25)).toBe(1000)
  })

  it('waits what the peer asks and a bit more, but not for days', () => {
    expect(backoffMs(policy, 9, () => 0.5, 7000)).toBe(7500)
    expect(backoffMs(policy, 9, () => 0, 1e12)).toBe(3_600_000)
  })
})

describe('a log line for people', () => {
  it('has time, level, message and fields', () => {
    const line = '{"level":40,"time":0,"workerId":"w1","msg":"hello"}\n'
    expect(formatLine(line)).toBe('[1970-01-01T00:00:00.000Z] WARN hello {"workerId":"w1"}\n')
  })
})
