import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { DispatchOptions } from '../src/blueprint/actions.ts'
import { create, Hand, oneTask, registryOf, World } from './support/engine-world.ts'
import { settled } from './support/storage-under-test.ts'

/** Dispatches one task with these options. */
function dispatching(options: Partial<DispatchOptions>): Blueprint {
  return new Blueprint('order')
    .state('start', { start: true, to: ['done'] }, ({ actions }) => {
      actions.dispatchTask({ type: 'resize', transitions: { success: 'done' }, ...options })
    })
    .state('done', { end: true })
    .state('failed', { end: true })
}

const TRANSIENT = { status: 'failure', error: { code: 'TRANSIENT_ERROR', message: 'no luck' } }

describe('a task', () => {
  // D-10: without a worker at hand, four tries burned in milliseconds.
  it('waits for a worker for as long as it takes (D-10)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const jobId = await create(engine, oneTask())
    await world.pass(3_600_000)
    expect(await world.job(jobId)).toMatchObject({
      status: 'waiting_for_worker',
      wait: { retries: 0, attempt: 1 },
    })
    const worker = await Hand.hire(engine)
    expect((await worker.take()).jobId).toBe(jobId)
  })

  it('goes only to a worker with its skill, and its version if that is asked for', async () => {
    const world = new World()
    const blueprint = dispatching({ skillVersion: '2' })
    const engine = world.engine(blueprint)
    await create(engine, blueprint)
    const hire = (id: string, skill: unknown): Promise<Hand> =>
      Hand.hire(engine, id, { supported_skills: [skill] })
    const old = await hire('old', { name: 'resize', version: '1' })
    const bare = await hire('bare', 'resize')
    const other = await hire('other', { name: 'crop', version: '2' })
    const right = await hire('right', { name: 'resize', version: '2' })
    for (const worker of [old, bare, other]) expect(await worker.poll()).toEqual([])
    expect((await right.take()).demand).toEqual({ type: 'resize', skillVersion: '2' })
  })

  it('is not given to a worker that drains', async () => {
    const engine = new World().engine(oneTask())
    await create(engine, oneTask())
    const worker = await Hand.hire(engine)
    await worker.beat({ status: 'draining' })
    expect(await worker.poll()).toEqual([])
    await worker.beat({ status: 'idle' })
    expect(await worker.poll()).toHaveLength(1)
  })

  it('goes by priority, then by age', async () => {
    const world = new World()
    const blueprint = new Blueprint('order')
      .state('start', { start: true }, ({ actions, initialData }) => {
        const priority = Number(initialData['priority'])
        actions.dispatchTask({ type: 'resize', priority, transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const jobs: string[] = []
    for (const priority of [0, 5, 5]) {
      jobs.push(await create(engine, blueprint, { initialData: { priority } }))
    }
    const worker = await Hand.hire(engine)
    const taken = await worker.poll(0, { max: 3 })
    expect(taken.map(({ task }) => task.jobId)).toEqual([jobs[1], jobs[2], jobs[0]])
  })

  it('is never one too many: a worker holds no more than it said', async () => {
    const engine = new World().engine(oneTask())
    for (let i = 0; i < 3; i += 1) await create(engine, oneTask())
    const worker = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 2 })
    expect(await worker.poll(0, { max: 10 })).toHaveLength(2)
    expect(await worker.poll(0, { max: 10 })).toEqual([])
  })

  // D-26: a task of a dead worker waited its whole execution time.
  it('goes to another worker when its own falls silent (D-26)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const lost = await Hand.hire(engine, 'lost')
    const jobId = await create(engine, oneTask())
    const first = await lost.take()
    await world.clock.advance(2 * world.settings.workerHealthIntervalMs + 1_000)

    const other = await Hand.hire(engine, 'other')
    const second = await other.take()
    expect(second).toMatchObject({ jobId, attempt: 2 })
    expect(second.taskId).not.toBe(first.taskId)
    expect(await world.records(jobId)).toContain('task_lost')
    await other.report(second)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('stays with a worker that beats, for as long as the task may take', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    const task = await worker.take()
    for (let i = 0; i < 4; i += 1) {
      await world.clock.advance(60_000)
      expect(await worker.beat({ current_tasks: [task.taskId] })).toEqual([])
    }
    await worker.report(task)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('is offered again at once by a worker that says goodbye', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const leaving = await Hand.hire(engine, 'leaving')
    const staying = await Hand.hire(engine, 'staying')
    await create(engine, oneTask())
    await leaving.take()
    await leaving.beat({ status: 'offline' })
    await world.clock.advance(1_000)
    expect(await staying.take()).toMatchObject({ attempt: 2 })
  })

  // D-12: a hand-over whose answer was lost left the task nowhere until its time ran out.
  it('is offered again soon when its worker does not list it: the hand-over never arrived (D-12)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    await create(engine, oneTask())
    await worker.take()
    await worker.beat({ current_tasks: [] })
    expect(await worker.poll()).toEqual([])
    await world.clock.advance(6_000)
    await worker.beat({ current_tasks: [] })
    await world.clock.advance(1_000)
    expect(await worker.take()).toMatchObject({ attempt: 2 })
  })

  it('given back by a worker that stops costs no retry', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    const details = { released: true }
    await worker.report(await worker.take(), {
      ...TRANSIENT,
      error: { ...TRANSIENT.error, details },
    })
    expect(await world.job(jobId)).toMatchObject({
      status: 'waiting_for_worker',
      wait: { retries: 0, attempt: 2 },
    })
    await world.clock.advance(1_000)
    expect(await worker.take()).toMatchObject({ attempt: 2 })
  })
})

describe('a failing task', () => {
  // D-28 and plan F8: four tries, with pauses, then set aside.
  it('is tried four times with growing pauses, then its job is quarantined (D-28)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const one = await Hand.hire(engine, 'one')
    const other = await Hand.hire(engine, 'other')
    const jobId = await create(engine, oneTask())
    let [worker, next] = [one, other]
    for (const pauseMs of [1_000, 2_000, 4_000]) {
      await worker.report(await worker.take(), TRANSIENT)
      await world.clock.advance(pauseMs - 1)
      expect(await next.poll()).toEqual([])
      await world.clock.advance(1)
      ;[worker, next] = [next, worker]
    }
    expect(await world.job(jobId)).toMatchObject({ wait: { retries: 3, attempt: 4 } })
    await worker.report(await worker.take(), TRANSIENT)
    expect(await world.job(jobId)).toMatchObject({
      status: 'quarantined',
      state: 'start',
      error: { code: 'TRANSIENT_ERROR', message: 'Task failed after 4 attempts: no luck' },
    })
  })

  it.each([
    ['PERMANENT_ERROR', 'quarantined'],
    ['SECURITY_ERROR', 'quarantined'],
    ['INVALID_INPUT_ERROR', 'failed'],
    ['INTEGRITY_MISMATCH_ERROR', 'failed'],
    ['SOMETHING_OF_ITS_OWN', 'waiting_for_worker'],
  ])('with the code %s leaves its job %s', async (code, status) => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    await worker.report(await worker.take(), { status: 'failure', error: { code, message: 'no' } })
    expect(await world.job(jobId)).toMatchObject({ status, error: { code } })
  })

  it('fails its job when its worker invents a status, and names those that are known', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    await worker.report(await worker.take(), { status: 'constructor' })
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: { code: 'UNHANDLED_STATUS', message: expect.stringContaining('success, failure') },
    })
  })
})

describe('a result', () => {
  // D-13: a repeated success moved the job back.
  it('sent twice counts once and is answered the same (D-13)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    const task = await worker.take()
    const [first, second] = await Promise.all([worker.report(task), worker.report(task)])
    const version = (await world.job(jobId)).version
    const third = await worker.report(task)
    const answer = { taskId: task.taskId, transition: 'success_transition' }
    expect([first, second, third]).toMatchObject([
      { kind: 'changed', answer },
      { kind: 'repeated', answer },
      { kind: 'repeated', answer },
    ])
    expect((await world.job(jobId)).version).toBe(version)
  })

  // D-14: all attempts of a job had one id, so that a late result hit a later task.
  it('of an attempt that was lost changes nothing (D-14)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const slow = await Hand.hire(engine, 'slow')
    const jobId = await create(engine, oneTask())
    const late = await slow.take()
    await world.clock.advance(2 * world.settings.workerHealthIntervalMs + 1_000)
    const quick = await Hand.hire(engine, 'quick')
    const again = await quick.take()
    expect(await slow.report(late)).toEqual({ kind: 'ignored', reason: 'stale_task' })
    await quick.report(again, { data: { by: 'quick' } })
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', result: { by: 'quick' } })
  })

  it('of another worker, of a job that is not there, and of one that has ended is ignored', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const thief = await Hand.hire(engine, 'thief')
    const jobId = await create(engine, oneTask())
    const task = await worker.take()
    expect(await thief.report(task)).toEqual({ kind: 'ignored', reason: 'worker_mismatch' })
    expect(await worker.report({ jobId: 'none', taskId: 't' })).toEqual({
      kind: 'ignored',
      reason: 'job_not_found',
    })
    await engine.cancelJob(jobId)
    expect(await worker.report(task)).toEqual({ kind: 'ignored', reason: 'job_cancelled' })
    expect(await world.job(jobId)).toMatchObject({ status: 'cancelled', stateHistory: {} })
  })

  it('after a timeout that ended the job is told that it is late', async () => {
    const world = new World()
    const blueprint = dispatching({ resultTimeout: 5 })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    await create(engine, blueprint)
    const task = await worker.take()
    await world.clock.advance(5_000)
    expect(await worker.report(task)).toEqual({ kind: 'ignored', reason: 'deadline_exceeded' })
  })
})

describe('a cancelled job', () => {
  // D-45: ids of tasks were looked up as ids of jobs.
  it('tells the worker of its task with the next heartbeat (D-45)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 2 })
    const jobId = await create(engine, oneTask())
    await create(engine, oneTask())
    const cancelled = await worker.take()
    const kept = await worker.take()
    await engine.cancelJob(jobId)
    const beat = { current_tasks: [cancelled.taskId, kept.taskId] }
    expect(await worker.beat(beat)).toEqual([cancelled.taskId])
  })

  it('takes its task back from offer, and cannot be cancelled again (D-16)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const jobId = await create(engine, oneTask())
    await engine.cancelJob(jobId)
    expect(await world.storage.countOfferedTasks()).toBe(0)
    expect(await world.storage.nextDueAt()).toBeUndefined()
    await expect(engine.cancelJob(jobId)).rejects.toMatchObject({ code: 'JOB_ALREADY_TERMINAL' })
    await expect(engine.cancelJob('none')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
    await settled()
    expect(await world.records(jobId)).toContain('job_cancelled')
  })
})

describe('timeouts', () => {
  it('a task that nobody takes in time fails its job, at its deadline and not before', async () => {
    const world = new World()
    const blueprint = dispatching({ dispatchTimeout: 10 })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await world.clock.advance(9_999)
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
    await world.clock.advance(1)
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: { code: 'TIMEOUT_ERROR', message: expect.stringContaining('dispatch timeout') },
    })
    expect(await (await Hand.hire(engine)).poll()).toEqual([])
  })

  // D-27: what was taken once counted as taken for ever.
  it('a task that was taken in time is not held to the time for taking it (D-27)', async () => {
    const world = new World()
    const blueprint = dispatching({ dispatchTimeout: 10, timeout: 100 })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    const task = await worker.take()
    await world.clock.advance(60_000)
    await worker.report(task)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('a task that takes too long is tried again, and its worker is told to drop it', async () => {
    const world = new World()
    const blueprint = dispatching({ timeout: 10 })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    const task = await worker.take()
    await world.clock.advance(10_000)
    expect(await world.job(jobId)).toMatchObject({
      status: 'waiting_for_worker',
      wait: { retries: 1, attempt: 1, phase: { kind: 'backing_off' } },
      error: { code: 'TIMEOUT_ERROR', message: 'Worker w-1 gave no result within 10 s.' },
    })
    expect(await worker.beat({ current_tasks: [task.taskId] })).toEqual([task.taskId])
    await world.clock.advance(1_000)
    expect(await (await Hand.hire(engine, 'other')).take()).toMatchObject({ attempt: 2 })
  })

  it('the result deadline ends the job whatever the task is doing, retries included', async () => {
    const world = new World()
    const blueprint = dispatching({ resultTimeout: 5 })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    await worker.report(await worker.take(), TRANSIENT)
    await world.clock.advance(1_000)
    await (await Hand.hire(engine, 'other')).take()
    await world.clock.advance(3_999)
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
    await world.clock.advance(1)
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: { code: 'TIMEOUT_ERROR', message: expect.stringContaining('result deadline') },
    })
  })

  // D-37: the job's own limits began anew with each task.
  it('the limits of the job count from its creation, not from each task (D-37)', async () => {
    const world = new World()
    const blueprint = new Blueprint('order')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({ type: 'resize', transitions: { success: 'more' } })
      })
      .state('more', ({ actions }) => {
        actions.dispatchTask({ type: 'resize', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint, { resultTimeoutMs: 10_000 })
    const task = await worker.take()
    await world.clock.advance(8_000)
    await worker.report(task)
    await world.clock.advance(2_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'failed', state: 'more' })
  })
})

describe('two engines on one storage', () => {
  it('run each step once and serve each other’s workers and jobs', async () => {
    const world = new World()
    const runs = new Map<string, number>()
    const blueprint = new Blueprint('order')
      .state('start', { start: true }, ({ jobId, actions }) => {
        runs.set(jobId, (runs.get(jobId) ?? 0) + 1)
        actions.dispatchTask({ type: 'resize', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    const [one, two] = [world.engine(blueprint), world.engine(blueprint)]
    const jobs = await Promise.all(
      Array.from({ length: 20 }, (_, i) => create(i % 2 === 0 ? one : two, blueprint)),
    )
    const worker = await Hand.hire(one, 'w-1', { max_concurrent_tasks: 50 })
    const elsewhere = new Hand(two, 'w-1')
    const tasks = await elsewhere.poll(0, { max: 50 })
    expect(tasks).toHaveLength(20)
    await Promise.all(tasks.map(({ task }, i) => (i % 2 === 0 ? worker : elsewhere).report(task)))
    expect([...runs.values()]).toEqual(Array.from({ length: 20 }, () => 1))
    const statuses = await Promise.all(jobs.map(async (id) => (await world.job(id)).status))
    expect(new Set(statuses)).toEqual(new Set(['finished']))
    for (const jobId of jobs) {
      const ended = (await world.records(jobId)).filter((type) => type === 'job_finished')
      expect(ended).toHaveLength(1)
    }
  })

  // D-23: what an engine had begun and not finished was lost with it.
  it('take over the step of one that died in the middle of it (D-23)', async () => {
    const world = new World()
    const blueprint = new Blueprint('order').state('start', { start: true, end: true })
    const dead = world.build(registryOf([]))
    const jobId = await create(dead, blueprint)
    // A process that claimed the step and is gone: nobody renews its lease.
    await world.storage.claimSteps({
      holder: 'dead',
      limit: 1,
      now: world.clock.now(),
      leaseMs: 30_000,
    })
    world.engine(blueprint)
    await world.clock.advance(29_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'pending' })
    await world.clock.advance(2_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })
})
