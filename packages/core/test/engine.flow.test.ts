import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { settled } from './support/storage-under-test.ts'

describe('a job', () => {
  it('goes from state to state, through a worker, to its end', async () => {
    const world = new World()
    const blueprint = new Blueprint('order')
      .state('start', { start: true }, ({ actions }) => {
        actions.transitionTo('work')
      })
      .state('work', ({ actions, initialData }) => {
        const transitions = { success: 'done' }
        actions.dispatchTask({ type: 'resize', params: { n: initialData['n'] }, transitions })
      })
      .state('done', { end: true }, ({ out }) => ({ doubled: out }))
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)

    const jobId = await create(engine, blueprint, { initialData: { n: 21 } })
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker', state: 'work' })

    const task = await worker.take()
    expect(task).toMatchObject({ jobId, attempt: 1, params: { n: 21 }, demand: { type: 'resize' } })
    await worker.report(task, { status: 'success', data: { out: 42 } })

    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      state: 'done',
      stateHistory: { out: 42 },
      result: { doubled: 42 },
      wait: null,
    })
    expect(await world.records(jobId)).toEqual([
      'job_created',
      'state_finished',
      'task_dispatched',
      'task_claimed',
      'task_finished',
      'state_finished',
      'job_finished',
    ])
  })

  it('ends with the last worker’s data when its end state returns nothing', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    await worker.report(await worker.take(), { data: { out: 1 } })
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', result: { out: 1 } })
  })

  // D-30: only the name `finished` counted as a success.
  it('ends as failed in a state that says so, and as finished in any other (D-30)', async () => {
    const world = new World()
    const ending = (name: string): Blueprint =>
      new Blueprint(`to_${name}`)
        .state('start', { start: true }, ({ actions }) => {
          actions.goTo(name)
        })
        .state(name, { end: true })
    const blueprints = ['end', 'payment_failed'].map(ending)
    const engine = world.engine(...blueprints)
    const jobs = await Promise.all(blueprints.map((blueprint) => create(engine, blueprint)))
    const statuses = await Promise.all(jobs.map(async (id) => (await world.job(id)).status))
    expect(statuses).toEqual(['finished', 'failed'])
  })

  it('is refused when its input does not match the schema, and its handler sees the parsed input', async () => {
    const world = new World()
    const input = z.object({ n: z.number().default(7) })
    const blueprint = new Blueprint('order', { input }).state(
      'start',
      { start: true, end: true },
      ({ n }) => ({ n }),
    )
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({ initialData: { n: 7 }, result: { n: 7 } })
    await expect(create(engine, blueprint, { initialData: { n: 'x' } })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining("blueprint 'order': initial_data.n: "),
    })
  })

  it('shares the data stores of its blueprint with the other jobs', async () => {
    const world = new World()
    const blueprint = new Blueprint('order', { dataStores: { counts: { jobs: 0 } } }).state(
      'start',
      { start: true, end: true },
      async ({ dataStores }) => {
        const counts = dataStores['counts'] as { get: (k: string) => Promise<number> } & {
          set: (k: string, v: number) => Promise<void>
        }
        await counts.set('jobs', (await counts.get('jobs')) + 1)
        return { jobs: await counts.get('jobs') }
      },
    )
    const engine = world.engine(blueprint)
    await create(engine, blueprint)
    const second = await create(engine, blueprint)
    expect(await world.job(second)).toMatchObject({ result: { jobs: 2 } })
  })

  // D-8: two jobs at a time on the memory storage lost one of them.
  it('is one of fifty at a time, and none is lost (D-8)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 100 })
    const jobs = await Promise.all(Array.from({ length: 50 }, () => create(engine, oneTask())))
    const tasks = await worker.poll(0, { max: 100 })
    expect(new Set(tasks.map(({ task }) => task.jobId))).toEqual(new Set(jobs))
    await Promise.all(tasks.map(({ task }) => worker.report(task)))
    const statuses = await Promise.all(jobs.map(async (id) => (await world.job(id)).status))
    expect(new Set(statuses)).toEqual(new Set(['finished']))
  })

  // D-11: the document and its message were two writes.
  it('starts although the engine was not there when it was created (D-11)', async () => {
    const world = new World()
    const away = world.engine(oneTask())
    await away.stop()
    const jobId = await create(away, oneTask())
    expect(await world.job(jobId)).toMatchObject({ status: 'pending' })
    world.engine(oneTask())
    await settled()
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
  })
})

describe('the loop guard', () => {
  it('fails a job that goes round and names the states of the round', async () => {
    const world = new World()
    const blueprint = new Blueprint('round')
      .state('start', { start: true }, ({ actions }) => {
        actions.goTo('ping')
      })
      .state('ping', ({ actions }) => {
        actions.goTo('pong')
      })
      .state('pong', ({ actions }) => {
        actions.goTo('ping')
      })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      transitionCount: 21,
      error: {
        code: 'TOO_MANY_TRANSITIONS',
        message: expect.stringMatching(/more than 20 transitions.*ping -> pong|pong -> ping/),
      },
    })
  })
})

// D-61: a repeated POST made a second job.
describe('an idempotency key', () => {
  it('creates one job, however often it is sent, and at the same time (D-61)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const request = { idempotencyKey: 'k' }
    const ids = await Promise.all([1, 2, 3].map(() => create(engine, oneTask(), request)))
    expect(new Set(ids).size).toBe(1)
    expect(await create(engine, oneTask(), request)).toBe(ids[0])
    expect(await world.storage.countOfferedTasks()).toBe(1)
  })

  it('is refused for another request, and belongs to its owner alone', async () => {
    const engine = new World().engine(oneTask())
    const request = { idempotencyKey: 'k' }
    const mine = await create(engine, oneTask(), request)
    await expect(
      create(engine, oneTask(), { ...request, initialData: { n: 2 } }),
    ).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
    const owner = { clientId: 'client-2', plan: null, params: {} }
    expect(await create(engine, oneTask(), { ...request, owner })).not.toBe(mine)
  })

  it('does not reach another owner by a colon in the id or the key', async () => {
    const engine = new World().engine(oneTask())
    const owner = (clientId: string): object => ({ owner: { clientId, plan: null, params: {} } })
    const one = await create(engine, oneTask(), { ...owner('a'), idempotencyKey: 'b:c' })
    const two = await create(engine, oneTask(), { ...owner('a:b'), idempotencyKey: 'c' })
    expect(two).not.toBe(one)
  })

  it('is forgotten after a day', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const first = await create(engine, oneTask(), { idempotencyKey: 'k' })
    await engine.stop()
    await world.clock.advance(86_400_001)
    expect(await create(engine, oneTask(), { idempotencyKey: 'k' })).not.toBe(first)
  })
})

describe('a wait for a change', () => {
  const never = new AbortController().signal

  it('ends as soon as the job does', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const job = await world.job(await create(engine, oneTask()))
    const startedAt = world.clock.now()
    const waiting = engine.reads.await(job.id, undefined, { waitMs: 60_000, signal: never })
    await worker.report(await worker.take())
    expect((await waiting).status).toBe('finished')
    expect(world.clock.now()).toBe(startedAt)
  })

  it('ends with its time, and with its caller', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const job = await world.job(await create(engine, oneTask()))
    const caller = new AbortController()
    const short = engine.reads.await(job.id, undefined, { waitMs: 1_500, signal: never })
    const long = engine.reads.await(job.id, undefined, { waitMs: 60_000, signal: caller.signal })
    await world.clock.advance(1_500)
    expect((await short).version).toBe(job.version)
    caller.abort()
    expect((await long).version).toBe(job.version)
  })

  it('ends when its engine stops', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const job = await world.job(await create(engine, oneTask()))
    const waiting = engine.reads.await(job.id, undefined, { waitMs: 60_000, signal: never })
    await engine.stop()
    expect((await waiting).version).toBe(job.version)
  })

  it('sees within a second what another engine did', async () => {
    const world = new World()
    const [one, two] = [world.engine(oneTask()), world.engine(oneTask())]
    const worker = await Hand.hire(two)
    const job = await world.job(await create(one, oneTask()))
    const wait = { waitMs: 60_000, changedAfter: job.updatedAt, signal: never }
    const waiting = one.reads.await(job.id, undefined, wait)
    await world.clock.advance(10)
    const task = await worker.take()
    await two.reportProgress({ ...task, workerId: 'w-1', progress: 0.5, message: 'half' })
    await world.clock.advance(1_000)
    expect(await waiting).toMatchObject({ progress: 0.5, progressMessage: 'half' })
  })
})
