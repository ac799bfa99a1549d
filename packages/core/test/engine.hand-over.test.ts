/** What becomes of tasks when a hand-over fails, and what hand-overs leave behind. */
import { UnavailableError } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import { HandOff } from '../src/engine/dispatch/hand-off.ts'
import { Matchmaker } from '../src/engine/matching/matchmaker.ts'
import { Roster } from '../src/engine/workers/roster.ts'
import { WaitingRoom } from '../src/engine/dispatch/waiting-room.ts'
import type { Storage } from '../src/ports/storage.ts'
import { aTask, aWorker } from '../src/testing/builders.ts'
import { SimulatedClock } from '../src/testing/simulated-clock.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { offeredJob, TASK_1 } from './support/jobs.ts'
import { openStorage, overlay, settled } from './support/storage-under-test.ts'

/** A store whose commits fail while the test says so, before or after they are written. */
class FailingStorage {
  fails: 'never' | 'before' | 'after' = 'never'
  readonly #inner = openStorage()
  readonly storage: Storage = overlay(this.#inner, {
    commit: async (entries) => {
      const { fails } = this
      if (fails === 'before') throw away()
      const outcomes = await this.#inner.commit(entries)
      if (fails === 'after') throw away()
      return outcomes
    },
  })
}

function away(): UnavailableError {
  return new UnavailableError('STORAGE_UNAVAILABLE', { message: 'The storage is away.' })
}

/** A demand of its own for each job. */
function demanding(): Blueprint {
  return new Blueprint('demanding')
    .state('start', { start: true }, ({ actions, initialData }) => {
      const maxCost = Number(initialData['n'])
      actions.dispatchTask({ type: 'resize', maxCost, transitions: { success: 'done' } })
    })
    .state('done', { end: true })
}

describe('a task whose hand-over failed', () => {
  // An older worker lists nothing, so its heartbeats would keep the lease for ever.
  it.each(['before', 'after'] as const)(
    'is offered again, without a retry, as soon as the store answers (W8; failed %s the write)',
    async (fails) => {
      const failing = new FailingStorage()
      const world = new World({ storage: failing.storage })
      const engine = world.engine(oneTask())
      const [first, second] = [await Hand.hire(engine, 'w-1'), await Hand.hire(engine, 'w-2')]
      const jobId = await create(engine, oneTask())
      failing.fails = fails
      await expect(first.poll()).rejects.toThrow('away')
      failing.fails = 'never'
      await world.clock.advance(11_000)
      await first.beat({})
      expect(await second.poll()).toMatchObject([{ task: { jobId } }])
      expect(await world.job(jobId)).toMatchObject({ wait: { retries: 0 } })
    },
  )

  it('that could not be taken back from a worker who left is offered again later', async () => {
    const failing = new FailingStorage()
    const world = new World({ storage: failing.storage })
    const engine = world.engine(oneTask())
    const [first, second] = [await Hand.hire(engine, 'w-1'), await Hand.hire(engine, 'w-2')]
    const jobId = await create(engine, oneTask())
    const [handed] = await first.poll()
    failing.fails = 'before'
    if (handed !== undefined) await engine.takeBacks.take(handed.task, 'w-1')
    failing.fails = 'never'
    await world.clock.advance(11_000)
    await first.beat({})
    expect(await second.poll()).toMatchObject([{ task: { jobId } }])
  })
})

describe('demands that differ from job to job', () => {
  it('are forgotten when their tasks are handed over, too', async () => {
    const asked: (readonly string[])[] = []
    const inner = openStorage()
    const storage = overlay(inner, {
      claimTasks: (claim) => {
        asked.push(claim.classIds)
        return inner.claimTasks(claim)
      },
    })
    const world = new World({ storage })
    const blueprint = demanding()
    const engine = world.engine(blueprint)
    const hand = await Hand.hire(engine, 'w-1', { cost_per_second: 0 })
    for (let n = 1; n <= 20; n += 1) {
      const polled = hand.poll(30_000)
      await settled()
      await create(engine, blueprint, { initialData: { n } })
      const [handed] = await polled
      if (handed !== undefined) await hand.report(handed.task, { status: 'success' })
    }
    for (let n = 0; n < 3; n += 1) {
      await world.pass(50_000)
      await hand.beat({})
    }
    await create(engine, blueprint, { initialData: { n: 99 } })
    await hand.poll()
    expect(asked.at(-1)).toHaveLength(1)
  })
})

it('a poll that was chosen is answered when its task cannot be handed over after all', async () => {
  const room = new WaitingRoom()
  const clock = new SimulatedClock()
  const roster = new Roster({
    changedWorkers: () => Promise.reject(away()),
    readReputations: () => Promise.reject(away()),
  })
  const handOff = new HandOff({
    clock,
    executor: { reserve: () => undefined, settle: () => undefined },
    matchmaker: new Matchmaker({ roster, clock }),
    room,
    leaseMs: 1_000,
    takeBacks: { noteUncertain: () => undefined, noteHanded: () => undefined },
    learn: (taskClass) => room.learn(taskClass),
    decide: () => ({ kind: 'ignored', reason: 'stale_task' }),
  })
  const task = aTask({ taskId: TASK_1 })
  const { woken } = room.wait({ worker: aWorker(), max: 1, tried: 0 })
  const job = offeredJob()
  const effects = [{ kind: 'offer_task', task } as const]
  expect(() => handOff.prepare({ kind: 'changed', job, effects })).toThrow('could not be claimed')
  expect(await Promise.race([woken, Promise.resolve('not answered')])).toMatchObject({
    classId: '',
  })
})
