/** History rows wait while the history is away: nothing slows down, and the bound is no surprise (D-69). */
import { describe, expect, it } from 'vitest'
import type { Engine } from '../src/engine/engine.ts'
import type { HistoryRecord } from '../src/job/effect.ts'
import { MemoryHistory } from '../src/memory/index.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'

class MoodyHistory extends MemoryHistory {
  isAway = false

  override append(records: readonly HistoryRecord[]): Promise<void> {
    return this.isAway ? Promise.reject(new Error('away')) : super.append(records)
  }
}

async function figure(engine: Engine, name: string): Promise<number> {
  const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(await engine.metrics.render())
  return Number(found?.[1])
}

describe('a history that is away for an hour', () => {
  it('loses nothing and stops nobody', async () => {
    const history = new MoodyHistory()
    history.isAway = true
    const world = new World({ history })
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    await hand.report(await hand.take())
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
    await world.clock.advance(3_600_000)
    expect(await world.records(jobId)).toEqual([])
    expect(await figure(engine, 'orchestrator_outbox_length')).toBeGreaterThan(4)

    history.isAway = false
    await world.clock.advance(30_000)
    const records = await world.records(jobId)
    expect(records[0]).toBe('job_created')
    expect(records.at(-1)).toBe('job_finished')
    expect(await figure(engine, 'orchestrator_outbox_length')).toBe(0)
    expect(await figure(engine, 'orchestrator_outbox_dropped_total')).toBe(0)
  })

  it('is warned of, and costs the oldest rows beyond the bound, which are counted', async () => {
    const history = new MoodyHistory()
    history.isAway = true
    const world = new World({ history, settings: { maxOutboxRecords: 10 } })
    const engine = world.engine(oneTask())
    const jobs = []
    for (let n = 0; n < 3; n += 1) jobs.push(await create(engine, oneTask()))
    await world.clock.advance(20_000)
    const warned = () => world.warnings.filter((message) => message.includes('pile up'))
    expect(warned()).toEqual([expect.stringContaining('history rows pile up')])
    expect(await figure(engine, 'orchestrator_outbox_dropped_total')).toBe(0)
    for (let n = 0; n < 3; n += 1) jobs.push(await create(engine, oneTask()))
    await world.clock.advance(20_000)
    const dropped = await figure(engine, 'orchestrator_outbox_dropped_total')
    expect(dropped).toBeGreaterThan(0)
    expect(await figure(engine, 'orchestrator_outbox_length')).toBe(10)

    history.isAway = false
    await world.clock.advance(60_000)
    const kept = await Promise.all(jobs.map((jobId) => world.records(jobId)))
    expect(kept.flat()).toHaveLength(10)
    // The oldest are gone, not the newest.
    expect(kept[0]).toEqual([])
    expect(kept.at(-1)).toEqual(['job_created', 'task_dispatched'])
    await world.clock.advance(60_000)
    expect(warned().length).toBeLessThan(4)
  })
})
