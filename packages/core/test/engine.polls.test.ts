import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { HistoryRecord } from '../src/job/effect.ts'
import { MemoryHistory } from '../src/memory/index.ts'
import { create, Hand, oneTask, registryOf, World } from './support/engine-world.ts'
import { openStorage, overlay, settled } from './support/storage-under-test.ts'

/** Says whether a promise has been settled by now. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  void promise.then(
    () => (over = true),
    () => (over = true),
  )
  await settled()
  return over
}

/** Counts the claims, and lets a test act between a claim or a hand-over and what follows from it. */
class WatchedStorage {
  claims = 0
  handOvers = 0
  afterClaim: () => Promise<void> = () => Promise.resolve()
  readonly #inner = openStorage()
  readonly storage = overlay(this.#inner, {
    commit: async (entries) => {
      const outcomes = await this.#inner.commit(entries)
      const handed = entries.flatMap(({ handOvers = [] }) => handOvers)
      this.handOvers += handed.length
      if (handed.length > 0) await this.afterClaim()
      return outcomes
    },
    claimTasks: async (claim) => {
      this.claims += 1
      const claimed = await this.#inner.claimTasks(claim)
      await this.afterClaim()
      return claimed
    },
  })
}

describe('a waiting poll', () => {
  it('is answered the moment a task is offered, without a tick of the clock', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const polled = worker.poll(30_000)
    expect(await isOver(polled)).toBe(false)
    const jobId = await create(engine, oneTask())
    expect(await isOver(polled)).toBe(true)
    expect(await polled).toMatchObject([{ task: { jobId } }])
  })

  it('is answered the moment another engine offers a task', async () => {
    const world = new World()
    const [one, two] = [world.engine(oneTask()), world.engine(oneTask())]
    const polled = (await Hand.hire(one)).poll(30_000)
    await create(two, oneTask())
    expect(await isOver(polled)).toBe(true)
  })

  it('comes back empty after its time, not before', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const polled = (await Hand.hire(engine, 'w-1')).poll(12_000)
    await world.clock.advance(11_999)
    expect(await isOver(polled)).toBe(false)
    await world.clock.advance(1)
    expect(await polled).toEqual([])
    expect(engine.dispatcher.waitingPolls).toBe(0)
  })

  it.each([
    ['here', { claims: 0, handOvers: 1 }],
    ['elsewhere', { claims: 1, handOvers: 0 }],
  ])(
    'is the only one woken for a task from %s; the others are left in peace',
    async (where, costs) => {
      const watched = new WatchedStorage()
      const world = new World({ storage: watched.storage })
      const [engine, other] = [world.engine(oneTask()), world.engine(oneTask())]
      const workers = await Promise.all(['a', 'b', 'c', 'd'].map((id) => Hand.hire(engine, id)))
      const polls = workers.map((worker) => worker.poll(30_000))
      await settled()
      const { claims, handOvers } = watched
      await create(where === 'here' ? engine : other, oneTask())
      const paid = { claims: watched.claims - claims, handOvers: watched.handOvers - handOvers }
      expect(paid).toEqual(costs)
      expect(engine.dispatcher.waitingPolls).toBe(3)
      expect((await Promise.all(polls.map(isOver))).filter(Boolean)).toHaveLength(1)
    },
  )

  it('is one of many that are all answered when as many tasks are offered', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const workers = await Promise.all(['a', 'b', 'c', 'd'].map((id) => Hand.hire(engine, id)))
    const polls = workers.map((worker) => worker.poll(30_000))
    await settled()
    const jobs = await Promise.all([1, 2, 3, 4].map(() => create(engine, oneTask())))
    const tasks = (await Promise.all(polls)).flat()
    expect(new Set(tasks.map(({ task }) => task.jobId))).toEqual(new Set(jobs))
  })

  it('that was aborted before the task leaves it to the next', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const [gone, next] = [await Hand.hire(engine, 'gone'), await Hand.hire(engine, 'next')]
    const left = new AbortController()
    const first = gone.poll(30_000, { signal: left.signal })
    const second = next.poll(30_000)
    await settled()
    left.abort()
    expect(await first).toEqual([])
    const jobId = await create(engine, oneTask())
    expect(await second).toMatchObject([{ task: { jobId, attempt: 1 } }])
  })

  // D-12: a task was gone when the poll that had it went away.
  it.each(['here', 'elsewhere'])(
    'that was aborted while a task from %s was on its way gives it to the next, free of charge (D-12)',
    async (where) => {
      const watched = new WatchedStorage()
      const world = new World({ storage: watched.storage })
      const [engine, other] = [world.engine(oneTask()), world.engine(oneTask())]
      const [gone, next] = [await Hand.hire(engine, 'gone'), await Hand.hire(engine, 'next')]
      const left = new AbortController()
      const first = gone.poll(30_000, { signal: left.signal })
      const second = next.poll(30_000)
      await settled()
      watched.afterClaim = async () => left.abort()
      const jobId = await create(where === 'here' ? engine : other, oneTask())
      expect(await first).toEqual([])
      expect(await isOver(second)).toBe(true)
      expect(await second).toMatchObject([{ task: { jobId } }])
      expect(await world.job(jobId)).toMatchObject({ wait: { retries: 0 }, lastWorkerId: 'next' })
    },
  )

  it('of a worker that is gone is refused, and its task goes to the next at once', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const [gone, next] = [await Hand.hire(engine, 'gone'), await Hand.hire(engine, 'next')]
    const first = gone.poll(30_000)
    const refused = expect(first).rejects.toMatchObject({ code: 'WORKER_NOT_FOUND' })
    await settled()
    const second = next.poll(30_000)
    await settled()
    await gone.beat({ status: 'offline' })
    await create(engine, oneTask())
    await refused
    expect(await isOver(second)).toBe(true)
  })

  it('of a worker that drains meanwhile leaves the task to the next', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const [draining, next] = [await Hand.hire(engine, 'draining'), await Hand.hire(engine, 'next')]
    const first = draining.poll(30_000)
    await settled()
    const second = next.poll(30_000)
    await settled()
    await draining.beat({ status: 'draining' })
    await create(engine, oneTask())
    expect(await isOver(first)).toBe(false)
    expect(await isOver(second)).toBe(true)
    await world.clock.advance(30_000)
    expect(await first).toEqual([])
  })

  it('goes on to the next task when the one it claimed was cancelled under its hands', async () => {
    const watched = new WatchedStorage()
    const world = new World({ storage: watched.storage })
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const cancelled = await create(engine, oneTask())
    const wanted = await create(engine, oneTask())
    watched.afterClaim = async () => {
      watched.afterClaim = () => Promise.resolve()
      await engine.cancelJob(cancelled)
    }
    expect(await worker.poll(30_000)).toMatchObject([{ task: { jobId: wanted } }])
  })

  it('of a worker with other skills is not woken', async () => {
    const world = new World()
    const other = new Blueprint('other')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({ type: 'crop', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    const engine = world.engine(oneTask(), other)
    const resizer = (await Hand.hire(engine, 'r')).poll(30_000)
    const cropper = (await Hand.hire(engine, 'c', { supported_skills: ['crop'] })).poll(30_000)
    await settled()
    await create(engine, other)
    expect(await isOver(cropper)).toBe(true)
    expect(await isOver(resizer)).toBe(false)
  })

  it('is refused for a worker that never registered', async () => {
    const engine = new World().engine(oneTask())
    await expect(new Hand(engine, 'nobody').poll()).rejects.toMatchObject({
      code: 'WORKER_NOT_FOUND',
      message: expect.stringContaining('not found'),
    })
  })
})

describe('an engine that stops', () => {
  it('sends waiting polls home, and takes no more steps', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const polled = (await Hand.hire(engine)).poll(30_000)
    await settled()
    await engine.stop()
    expect(await polled).toEqual([])
    const jobId = await create(engine, oneTask())
    await world.clock.advance(60_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'pending' })
  })

  it('answers a poll that comes after it at once', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    await engine.stop()
    expect(await worker.poll(30_000)).toEqual([])
  })

  it('lets a running handler end, keeps what it decided, and has written its history', async () => {
    const world = new World()
    let finish = (): void => undefined
    const blueprint = new Blueprint('order')
      .state('start', { start: true }, async ({ actions }) => {
        await new Promise<void>((resolve) => (finish = resolve))
        actions.goTo('done')
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    const stopped = engine.stop()
    expect(await isOver(stopped)).toBe(false)
    finish()
    await stopped
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
    expect(await world.records(jobId)).toEqual(['job_created', 'state_finished', 'job_finished'])
  })

  // D-74: the history was closed before the jobs had written what became of them.
  it('has written its history even when writing takes a while (D-74)', async () => {
    class SlowHistory extends MemoryHistory {
      override async append(records: readonly HistoryRecord[]): Promise<void> {
        await settled()
        await super.append(records)
      }
    }
    const world = new World({ history: new SlowHistory() })
    const blueprint = new Blueprint('order').state('start', { start: true, end: true })
    const engine = world.build(registryOf([blueprint]))
    engine.start()
    const owner = { clientId: 'c', plan: null, params: {} }
    const request = { blueprint: blueprint.define(), initialData: {}, owner }
    const { jobId } = await engine.createJob(request)
    await engine.stop()
    const { status } = await world.job(jobId)
    const expected = status === 'finished' ? ['job_created', 'job_finished'] : ['job_created']
    expect(await world.records(jobId)).toEqual(expected)
  })

  it('does not wait for a handler beyond the time it is given; another engine runs it', async () => {
    const world = new World()
    let runs = 0
    const blueprint = new Blueprint('order')
      .state('start', { start: true }, async ({ actions }) => {
        runs += 1
        if (runs === 1) await new Promise(() => undefined)
        actions.goTo('done')
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    const stopped = engine.stop(8_000)
    await world.clock.advance(7_999)
    expect(await isOver(stopped)).toBe(false)
    await world.clock.advance(1)
    expect(await isOver(stopped)).toBe(true)
    world.engine(blueprint)
    await world.clock.advance(31_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('can start again, and a second start or stop changes nothing', async () => {
    const world = new World()
    const engine = world.build(registryOf([oneTask()]))
    engine.start()
    engine.start()
    await Promise.all([engine.stop(), engine.stop()])
    await engine.stop()
    engine.start()
    const jobId = await create(engine, oneTask())
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
  })
})
