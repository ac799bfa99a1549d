/** Ended jobs are forgotten when they are old enough, and not before their history is written (D-70). */
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import { Retention } from '../src/engine/schedules/retention.ts'
import type { HistoryRecord } from '../src/job/effect.ts'
import { MemoryHistory } from '../src/memory/index.ts'
import { silentLog } from '../src/ports/log.ts'
import type { Storage } from '../src/ports/storage.ts'
import { create, World } from './support/engine-world.ts'

const DAY_MS = 86_400_000
const RETAIN = { retainMs: 7 * DAY_MS, everyMs: 3_600_000 }

function short(): Blueprint {
  return new Blueprint('short').state('start', { start: true, end: true })
}

/** Its history takes nothing until it is told to. */
class StuckHistory extends MemoryHistory {
  isStuck = true

  override async append(records: readonly HistoryRecord[]): Promise<void> {
    if (this.isStuck) throw new Error('The history is away.')
    return super.append(records)
  }
}

function retentionOf({ storage, clock }: World): Retention {
  return new Retention({ storage, clock, log: silentLog }, RETAIN)
}

describe('the sweep', () => {
  it('forgets what ended long enough ago, and keeps the rest', async () => {
    const world = new World()
    const engine = world.engine(short())
    const old = await create(engine, short())
    await world.pass(2 * DAY_MS, 3_600_000)
    const recent = await create(engine, short())
    const retention = retentionOf(world)
    await world.pass(5 * DAY_MS, 3_600_000)
    await retention.sweep()
    expect(await world.storage.findJob(old), 'to the day').toBeDefined()
    await world.clock.advance(2_000)
    await retention.sweep()
    expect(await world.storage.findJob(old)).toBeUndefined()
    expect(await world.storage.findJob(recent)).toBeDefined()
  })

  it('keeps jobs whose history is not written yet', async () => {
    const history = new StuckHistory()
    const world = new World({ history })
    const engine = world.engine(short())
    const jobId = await create(engine, short())
    await world.pass(8 * DAY_MS, 3_600_000)
    const retention = retentionOf(world)
    await retention.sweep()
    expect(await world.storage.findJob(jobId)).toBeDefined()
    history.isStuck = false
    await world.clock.advance(60_000)
    await retention.sweep()
    expect(await world.storage.findJob(jobId)).toBeUndefined()
    expect(await history.ofJob(jobId)).not.toEqual([])
  })

  it('goes in batches until nothing is left, and ends between two when it is stopped', async () => {
    const batches: number[] = []
    let left = 1_200
    let onBatch = (): void => undefined
    const removeEndedJobs: Storage['removeEndedJobs'] = async ({ endedBefore, limit }) => {
      const removed = Math.min(limit, left)
      left -= removed
      batches.push(removed)
      expect(endedBefore).toBe(world.clock.now() - RETAIN.retainMs)
      onBatch()
      return removed
    }
    const world = new World({
      storage: {
        removeEndedJobs,
        oldestRecordAt: async () => undefined,
      } as Partial<Storage> as Storage,
    })
    await retentionOf(world).sweep()
    expect(batches).toEqual([500, 500, 200])
    left = 10_000
    const stopping = retentionOf(world)
    onBatch = () => stopping.stop()
    await stopping.sweep()
    expect(batches.slice(3)).toEqual([500])
  })
})
