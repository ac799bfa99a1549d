/** When plans are due, above all when clocks change (D-72). */
import { describe, expect, it } from 'vitest'
import type { Timing } from '../src/ports/scheduler.ts'
import { nextTickAt, timingProblem } from '../src/ports/ticks.ts'

const NOW = Date.parse('2026-03-27T10:20:30.400Z')

function ticks(timing: Timing, from: string, count: number): string[] {
  const all: string[] = []
  let at = Date.parse(from)
  while (all.length < count) {
    at = nextTickAt(timing, at)
    all.push(new Date(at).toISOString().replace(':00.000Z', 'Z'))
  }
  return all
}

describe('a plan with a period', () => {
  it('is due at its multiples, whoever asks and whenever', () => {
    expect(nextTickAt({ everyMs: 60_000 }, NOW)).toBe(Date.parse('2026-03-27T10:21:00Z'))
    expect(nextTickAt({ everyMs: 60_000 }, NOW + 29_599)).toBe(Date.parse('2026-03-27T10:21:00Z'))
    expect(nextTickAt({ everyMs: 60_000 }, NOW + 29_600)).toBe(Date.parse('2026-03-27T10:22:00Z'))
  })

  it.each([0, -1, 0.5, NaN, Infinity])('of %d ms cannot be used', (everyMs) => {
    expect(timingProblem({ everyMs }, NOW)).toContain('period')
  })
})

describe('a plan with a pattern', () => {
  // After the last time there is no next one, and a timer that looks for it would take the process down.
  it.each(['0 0 0 1 1 * 2027', '2027-01-01T00:00:00'])(
    '%s, which ends some day, cannot be used',
    (cron) => {
      expect(timingProblem({ cron, timezone: 'UTC' }, NOW)).toContain('five fields')
    },
  )

  it.each([
    ['0 9 * * 1-5', 'UTC', ['2026-03-27T09:00Z', '2026-03-30T09:00Z']],
    ['*/15 * * * *', 'UTC', ['2026-03-27T00:15Z', '2026-03-27T00:30Z']],
    ['@daily', 'UTC', ['2026-03-28T00:00Z', '2026-03-29T00:00Z']],
    ['0 0 9 * * *', 'Asia/Tokyo', ['2026-03-28T00:00Z', '2026-03-29T00:00Z']],
    ['0 0 L * *', 'UTC', ['2026-03-31T00:00Z', '2026-04-30T00:00Z']],
  ])('%s in %s is due as it says', (cron, timezone, expected) => {
    expect(ticks({ cron, timezone }, '2026-03-27T00:00:00Z', 2)).toEqual(expected)
  })

  it.each([
    // 02:30 is skipped on the 29th: the moment at which it would be is 03:00 there.
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00:00Z',
      ['2026-03-29T01:00Z', '2026-03-30T00:30Z'],
    ],
    // Midnight itself is skipped.
    [
      '0 0 * * *',
      'America/Santiago',
      '2026-09-05T12:00:00Z',
      ['2026-09-06T04:00Z', '2026-09-07T03:00Z'],
    ],
  ])('%s in %s is not lost when its time is skipped (D-72)', (cron, timezone, from, expected) => {
    expect(ticks({ cron, timezone }, from, 2)).toEqual(expected)
  })

  it.each([
    ['30 2 * * *', ['2026-10-25T00:30Z', '2026-10-26T01:30Z']],
    ['15,45 2 * * *', ['2026-10-25T00:15Z', '2026-10-25T00:45Z', '2026-10-26T01:15Z']],
    ['30 2,3 * * *', ['2026-10-25T00:30Z', '2026-10-25T02:30Z', '2026-10-26T01:30Z']],
  ])('%s is due once when its hour comes twice', (cron, expected) => {
    const timing = { cron, timezone: 'Europe/Berlin' }
    expect(ticks(timing, '2026-10-24T12:00:00Z', expected.length)).toEqual(expected)
  })

  it('for every hour is due in the repeated hour, too', () => {
    const timing = { cron: '30 * * * *', timezone: 'Europe/Berlin' }
    const hours = ['2026-10-25T00:30Z', '2026-10-25T01:30Z', '2026-10-25T02:30Z']
    expect(ticks(timing, '2026-10-25T00:00:00Z', 3)).toEqual(hours)
  })

  it.each([
    ['', 'UTC', "pattern ''"],
    ['* * * *', 'UTC', "pattern '* * * *'"],
    ['61 * * * *', 'UTC', "pattern '61 * * * *'"],
    ['H 3 * * *', 'UTC', "pattern 'H 3 * * *'"],
    ['0 0 30 2 *', 'UTC', 'it is never due'],
    ['0 9 * * *', 'Mars/Phobos', "no time zone 'Mars/Phobos'"],
    ['0 9 * * *', '', "no time zone ''"],
  ])('%j in %j is told as a problem', (cron, timezone, words) => {
    expect(timingProblem({ cron, timezone }, NOW)).toContain(words)
  })

  it('that can be used has no problem', () => {
    expect(timingProblem({ cron: '0 0 29 2 *', timezone: 'Europe/Berlin' }, NOW)).toBeUndefined()
  })
})
