import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffMs } from '../src/job/retry.ts'
import { DEFAULT_RULES } from '../src/job/rules.ts'

describe('backoffMs', () => {
  const policy = { initialMs: 500, factor: 2, maxMs: 3_000, jitter: 0.5 }
  const table = [
    { retry: 1, chance: 0, pause: 500 },
    { retry: 2, chance: 0, pause: 1_000 },
    { retry: 3, chance: 0, pause: 2_000 },
    { retry: 4, chance: 0, pause: 3_000 },
    { retry: 400, chance: 0, pause: 3_000 },
    { retry: 5_000, chance: 0, pause: 3_000 },
    { retry: 1, chance: 0.5, pause: 375 },
    { retry: 2, chance: 0.8, pause: 600 },
  ]
  it.each(table)('pauses $pause ms before retry $retry at chance $chance (D-28)', (row) => {
    expect(backoffMs(policy, row.retry, row.chance)).toBe(row.pause)
  })

  it('is a number for a policy without pauses, however many retries there were', () => {
    expect(backoffMs({ ...policy, initialMs: 0 }, 5_000, 0)).toBe(0)
  })

  it('stays between the unjittered pause and what jitter may take away, in whole ms', () => {
    const policies = fc.record({
      initialMs: fc.integer({ min: 0, max: 10_000 }),
      factor: fc.double({ min: 1, max: 4, noNaN: true }),
      maxMs: fc.integer({ min: 0, max: 100_000 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 2_000 }), chances, (p, retry, chance) => {
        const pause = backoffMs(p, retry, chance)
        const full = backoffMs({ ...p, jitter: 0 }, retry, chance)
        expect(Number.isInteger(pause)).toBe(true)
        expect(pause).toBeLessThanOrEqual(full)
        expect(full).toBeLessThanOrEqual(p.maxMs)
        expect(pause).toBeGreaterThanOrEqual(full * (1 - p.jitter) - 1)
      }),
    )
  })

  it('by default pauses half a second, one and two, shortened by up to half', () => {
    const { maxRetries, backoff } = DEFAULT_RULES.retry
    const pauses = Array.from({ length: maxRetries }, (_, n) => backoffMs(backoff, n + 1, 0))
    expect(pauses).toEqual([500, 1_000, 2_000])
    expect(backoffMs(backoff, 1, 0.999_999)).toBe(250)
  })
})
