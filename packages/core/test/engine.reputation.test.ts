/** What workers earn by how their tasks come out, and what follows from it (D-38, D-41). */
import { describe, expect, it } from 'vitest'
import type { Engine } from '../src/engine/engine.ts'
import { RECOVERY_HALF_MS } from '../src/ports/reputation-store.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { settled } from './support/storage-under-test.ts'

const HOUR_MS = 3_600_000

async function reputationOf(engine: Engine, workerId = 'w-1'): Promise<number> {
  const worker = (await engine.fleet.list()).find((one) => one.workerId === workerId)
  if (worker === undefined) throw new Error(`${workerId} is not there.`)
  return worker.reputation
}

/** A worker takes a task and answers it. */
async function worksOff(engine: Engine, hand: Hand, said: object): Promise<void> {
  await create(engine, oneTask())
  await hand.report(await hand.take(), { ...said })
}

function failing(code: string): object {
  return { status: 'failure', error: { code, message: 'no' } }
}

describe('a result', () => {
  it.each([
    ['that was a success, below the top', { status: 'success' }, 0.501],
    ['with a transient error', failing('TRANSIENT_ERROR'), 0.495],
    ['with an unknown error', failing('NEVER_HEARD_OF'), 0.495],
    ['with a permanent error', failing('PERMANENT_ERROR'), 0.45],
    ['that breaks its contract', failing('CONTRACT_VIOLATION_ERROR'), 0.3],
    ['that blames the input', failing('INVALID_INPUT_ERROR'), 0.5],
    ['that failed on purpose', { status: 'failure' }, 0.5],
    ['of a cancelled task', { status: 'cancelled' }, 0.5],
    [
      'that hands the task back',
      {
        status: 'failure',
        error: { code: 'TRANSIENT_ERROR', message: 'bye', details: { released: true } },
      },
      0.5,
    ],
  ])('%s counts at once', async (_, said, expected) => {
    const world = new World()
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine)
    const rating = { workerId: 'w-1', by: -0.5, good: 0, bad: 0 }
    await world.storage.rateWorkers({ ratings: [rating], now: world.clock.now() })
    await worksOff(engine, hand, said)
    await engine.reputations.stop()
    expect(await reputationOf(engine)).toBeCloseTo(expected, 6)
  })

  it('counts once, however often it is sent', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine)
    await create(engine, oneTask())
    const task = await hand.take()
    for (let n = 0; n < 3; n += 1) await hand.report(task, failing('PERMANENT_ERROR') as never)
    await settled()
    expect(await reputationOf(engine)).toBeCloseTo(0.95, 9)
  })
})

describe('a worker', () => {
  it('that gives no result in time loses some, and more when it vanishes with a task', async () => {
    const world = new World({ settings: { taskTimeoutMs: 10_000 } })
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine)
    await create(engine, oneTask())
    await hand.take()
    await world.clock.advance(11_000)
    expect(await reputationOf(engine)).toBeCloseTo(0.98, 3)
    const other = await Hand.hire(engine, 'w-2')
    await world.clock.advance(5_000)
    await other.take()
    await other.beat({ status: 'offline' })
    await world.clock.advance(2_000)
    await Hand.hire(engine, 'w-2')
    expect(await reputationOf(engine, 'w-2')).toBeCloseTo(0.98, 3)
  })

  it('keeps its reputation when it registers again, and over the end of its record (D-38)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine)
    await worksOff(engine, hand, failing('CONTRACT_VIOLATION_ERROR'))
    await Hand.hire(engine)
    expect(await reputationOf(engine)).toBeCloseTo(0.8, 9)
    await hand.beat({ status: 'offline' })
    await Hand.hire(engine)
    expect(await reputationOf(engine)).toBeCloseTo(0.8, 9)
  })

  it('keeps it over a restart of the orchestrator', async () => {
    const world = new World()
    const first = world.engine(oneTask())
    await worksOff(first, await Hand.hire(first), failing('CONTRACT_VIOLATION_ERROR'))
    await first.stop(0)
    const second = world.engine(oneTask())
    expect(await reputationOf(second)).toBeCloseTo(0.8, 9)
  })

  it('does not live longer for being rated (D-41)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine)
    await create(engine, oneTask())
    const task = await hand.take()
    await world.clock.advance(100_000)
    await hand.report(task, failing('PERMANENT_ERROR') as never)
    await world.clock.advance(21_000)
    expect(await engine.fleet.list()).toEqual([])
  })

  it('is known by what it earned at other orchestrators, too', async () => {
    const world = new World()
    const [here, there] = [world.engine(oneTask()), world.engine(oneTask())]
    const hand = await Hand.hire(here)
    await world.clock.advance(2_000)
    await worksOff(here, hand, failing('CONTRACT_VIOLATION_ERROR'))
    await world.clock.advance(6_000)
    await create(there, oneTask())
    expect(there.shortages.of({ demand: { type: 'none' }, params: {} }).workers).toBe(1)
    expect(await reputationOf(there)).toBeCloseTo(0.8, 2)
  })
})

describe('a worker that is trusted too little', () => {
  async function distrusted(world: World, engine: Engine): Promise<Hand> {
    const hand = await Hand.hire(engine)
    const rating = { workerId: 'w-1', by: -0.75, good: 0, bad: 0 }
    await world.storage.rateWorkers({ ratings: [rating], now: world.clock.now() })
    await world.clock.advance(6_000)
    return hand
  }

  it('gets no tasks, and the reason is told', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const hand = await distrusted(world, engine)
    await create(engine, oneTask())
    expect(await hand.poll()).toEqual([])
    const [pending] = await engine.shortages.list({ limit: 10 })
    expect(pending?.shortage.text).toMatch(/^the only worker has too little reputation \(needs 0.3/)
    expect(pending?.shortage.reasons).toMatchObject([{ kind: 'reputation', count: 1 }])
  })

  it.each(['polls', 'beats'])(
    'gets none where an orchestrator starts anew and it %s',
    async (first) => {
      const world = new World()
      const engine = world.engine(oneTask())
      await distrusted(world, engine)
      await engine.stop(0)
      const next = world.engine(oneTask())
      const hand = new Hand(next, 'w-1')
      if (first === 'beats') await hand.beat()
      await create(next, oneTask())
      expect(await hand.poll()).toEqual([])
    },
  )

  it('gets none of an orchestrator that meets it for the first time', async () => {
    const world = new World()
    const [here, there] = [world.engine(oneTask()), world.engine(oneTask())]
    await create(there, oneTask())
    await world.clock.advance(6_000)
    await Hand.hire(here)
    const rating = { workerId: 'w-1', by: -0.75, good: 0, bad: 0 }
    await world.storage.rateWorkers({ ratings: [rating], now: world.clock.now() })
    expect(await new Hand(there, 'w-1').poll()).toEqual([])
  })

  it('is not trusted by the other orchestrators either, from that moment on', async () => {
    const world = new World()
    const [here, there] = [world.engine(oneTask()), world.engine(oneTask())]
    const hand = await Hand.hire(here)
    await world.clock.advance(6_000)
    for (let n = 0; n < 4; n += 1) {
      await worksOff(here, hand, failing('CONTRACT_VIOLATION_ERROR'))
    }
    await world.clock.advance(0)
    await create(there, oneTask())
    expect(await new Hand(there, 'w-1').poll()).toEqual([])
  })

  it('gets tasks again when time has passed: nobody starves for ever', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const hand = await distrusted(world, engine)
    await create(engine, oneTask())
    for (let ms = 0; ms < RECOVERY_HALF_MS; ms += 60_000) {
      await hand.beat()
      await world.pass(60_000, 20_000)
    }
    expect(await hand.poll()).toHaveLength(1)
  })

  it('gets them where the rule is off', async () => {
    const world = new World({ settings: { minReputation: 0 } })
    const engine = world.engine(oneTask())
    const hand = await distrusted(world, engine)
    await create(engine, oneTask())
    expect(await hand.poll()).toHaveLength(1)
  })

  it('has a waiting poll that finds nothing from the moment on that it falls', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine)
    const polled = hand.poll(30_000)
    const rating = { workerId: 'w-1', by: -0.9, good: 0, bad: 0 }
    await world.storage.rateWorkers({ ratings: [rating], now: world.clock.now() })
    await world.clock.advance(6_000)
    await create(engine, oneTask())
    await world.clock.advance(30_000)
    expect(await polled).toEqual([])
  })
})

describe('every hour', () => {
  it('nobody is forgiven: what was lost comes back by time alone', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    await Hand.hire(engine)
    const rating = { workerId: 'w-1', by: -0.8, good: 0, bad: 4 }
    await world.storage.rateWorkers({ ratings: [rating], now: world.clock.now() })
    await world.clock.advance(65_000)
    // A minute has healed a sixtieth of what an hour halves.
    expect(await reputationOf(engine)).toBeCloseTo(0.21, 2)
  })

  it('all are judged anew by their outcomes, once among all orchestrators', async () => {
    const world = new World()
    const engines = [world.engine(oneTask()), world.engine(oneTask())]
    const [engine] = engines
    if (engine === undefined) throw new Error('There is no engine.')
    await Hand.hire(engine)
    const rating = { workerId: 'w-1', by: 0, good: 0, bad: 10 }
    await world.storage.rateWorkers({ ratings: [rating], now: world.clock.now() })
    await world.clock.advance(65_000)
    // 0.7 of 10 in 20, as everybody starts with 10 good ones, and 0.3 of 1; and a minute has healed.
    expect(await reputationOf(engine)).toBeCloseTo(0.65, 1)
    const after = await reputationOf(engine)
    for (let ms = 0; ms < HOUR_MS / 2; ms += 60_000) {
      await new Hand(engine, 'w-1').beat()
      await world.pass(60_000, 20_000)
    }
    expect(await reputationOf(engine)).toBeGreaterThan(after)
  })
})
