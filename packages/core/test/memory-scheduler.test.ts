/** Ticks in this process: the suite of every scheduler, and what only a clock moved by hand shows. */
import { describe, expect, it } from 'vitest'
import { MemoryScheduler } from '../src/memory/index.ts'
import type { Plan, Tick } from '../src/ports/scheduler.ts'
import { schedulerContract, type SchedulerBench } from '../src/testing/index.ts'
import { settled, SimulatedClock } from '../src/testing/simulated-clock.ts'

const START = Date.parse('2026-03-27T10:20:30.400Z')

function bench(): Promise<SchedulerBench> {
  const opened: MemoryScheduler[] = []
  return Promise.resolve({
    open: () => {
      const scheduler = new MemoryScheduler()
      opened.push(scheduler)
      return Promise.resolve(scheduler)
    },
    close: async () => {
      await Promise.all(opened.map((scheduler) => scheduler.stop(0)))
    },
  })
}

function started(plan: Plan, onTick: (tick: Tick) => Promise<void> = async () => undefined) {
  const clock = new SimulatedClock(START)
  const ticks: string[] = []
  const scheduler = new MemoryScheduler({ clock })
  scheduler.start([plan], async (tick) => {
    ticks.push(new Date(tick.at).toISOString())
    await onTick(tick)
  })
  return { scheduler, clock, ticks }
}

describe('the scheduler in memory', () => {
  for (const { name, run } of schedulerContract) it(name, () => run(bench))

  it('waits longer than a timer of the platform can', async () => {
    const timing = { cron: '0 0 1 1 *', timezone: 'UTC' }
    const { clock, ticks } = started({ name: 'new year', timing })
    await clock.advance(400 * 86_400_000)
    expect(ticks).toEqual(['2027-01-01T00:00:00.000Z'])
  })

  it('hands out one tick for all that a pause of the machine covered', async () => {
    const { clock, ticks } = started({ name: 'minutely', timing: { everyMs: 60_000 } })
    await clock.jump(START + 600_000)
    expect(ticks).toEqual(['2026-03-27T10:21:00.000Z'])
    await clock.advance(60_000)
    expect(ticks.slice(1)).toEqual(['2026-03-27T10:31:00.000Z'])
  })

  it('loses no tick while handling fails, and keeps their order (D-72)', async () => {
    let isAway = true
    const handled: number[] = []
    const plan = { name: 'minutely', timing: { everyMs: 60_000 } }
    const { clock } = started(plan, async ({ at }) => {
      if (isAway) throw new Error('the storage is away')
      handled.push(at)
    })
    await clock.advance(300_000)
    isAway = false
    await clock.advance(60_000)
    const first = Date.parse('2026-03-27T10:21:00Z')
    expect(handled).toEqual([0, 1, 2, 3, 4, 5].map((n) => first + n * 60_000))
  })

  it('ends a pause between tries when it is stopped', async () => {
    const { scheduler, clock, ticks } = started(
      { name: 'minutely', timing: { everyMs: 60_000 } },
      () => Promise.reject(new Error('away')),
    )
    await clock.advance(30_000)
    await scheduler.stop()
    await settled()
    expect(ticks).toHaveLength(1)
    expect(await clock.step(Infinity), 'a timer is left').toBe(false)
  })

  it('can be started again', async () => {
    const plan = { name: 'minutely', timing: { everyMs: 60_000 } }
    const { scheduler, clock, ticks } = started(plan)
    await scheduler.stop()
    await clock.advance(60_000)
    expect(ticks).toEqual([])
    const again: Tick[] = []
    scheduler.start([plan], async (tick) => void again.push(tick))
    await clock.advance(60_000)
    expect(again).toHaveLength(1)
  })
})
