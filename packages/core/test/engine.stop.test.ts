/** The end of an engine is bounded, whatever does not answer. */
import { describe, expect, it } from 'vitest'
import { MemoryHistory } from '../src/memory/index.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'

/** Takes rows and never answers. */
class HungHistory extends MemoryHistory {
  override append(): Promise<void> {
    return new Promise(() => undefined)
  }
}

describe('stopping an engine', () => {
  it('ends a second after its time when the history hangs', async () => {
    const world = new World({ history: new HungHistory() })
    const engine = world.engine(oneTask())
    await create(engine, oneTask())
    await world.clock.advance(1_000)
    let isStopped = false
    const stopped = engine.stop(500).then(() => {
      isStopped = true
    })
    await world.clock.advance(1_499)
    expect(isStopped).toBe(false)
    await world.clock.advance(1)
    await stopped
  })

  it('leaves the rows that it could not carry to the next engine', async () => {
    const history = new HungHistory()
    const world = new World({ history })
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    await hand.report(await hand.take())
    const stopped = engine.stop(0)
    await world.clock.advance(1_000)
    await stopped

    const kept = new MemoryHistory()
    const next = new World({ storage: world.storage, history: kept })
    next.engine(oneTask())
    await next.clock.advance(30_000)
    expect((await kept.ofJob(jobId)).at(-1)?.type).toBe('job_finished')
  })

  it('takes no longer than it needs', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    await create(engine, oneTask())
    const before = world.clock.now()
    const stopped = engine.stop(60_000)
    await world.clock.advance(0)
    await stopped
    expect(world.clock.now()).toBe(before)
  })
})
