import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { DispatchOptions } from '../src/blueprint/actions.ts'
import type { Engine } from '../src/engine/engine.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { settled } from './support/storage-under-test.ts'

/** Dispatches one task with these options; ends in `done`, `repaired` or `failed`. */
function dispatching(options: Partial<DispatchOptions> = {}): Blueprint {
  return new Blueprint('order')
    .state('start', { start: true, to: ['done', 'repaired'] }, ({ actions }) => {
      actions.dispatchTask({ type: 'resize', transitions: { success: 'done' }, ...options })
    })
    .state('done', { end: true })
    .state('repaired', { end: true }, ({ error, stateHistory }) => ({ error, stateHistory }))
}

type Said = Readonly<Record<string, unknown>>

const failure = (code: string): Said => ({
  status: 'failure',
  error: { code, message: 'no luck' },
})

const TRANSIENT = failure('TRANSIENT_ERROR')

interface Scene {
  readonly world: World
  readonly engine: Engine
  readonly worker: Hand
  readonly jobId: string
}

async function scene(blueprint = dispatching()): Promise<Scene> {
  const world = new World()
  const engine = world.engine(blueprint)
  const worker = await Hand.hire(engine)
  return { world, engine, worker, jobId: await create(engine, blueprint) }
}

describe('what a worker reports', () => {
  it.each([
    ['TRANSIENT_ERROR'],
    ['RESOURCE_EXHAUSTED_ERROR'],
    ['TIMEOUT_ERROR'],
    ['INTERNAL_ERROR'],
    ['LIMIT_EXCEEDED_ERROR'],
    ['SOMETHING_OF_ITS_OWN'],
    ['constructor'],
  ])('as %s is tried again, and sets the job aside after the last try', async (code) => {
    const { world, worker, jobId } = await scene(dispatching({ retry: { attempts: 2 } }))
    await worker.report(await worker.take(), failure(code))
    expect(await world.job(jobId)).toMatchObject({
      status: 'waiting_for_worker',
      wait: { retries: 1, phase: { kind: 'backing_off' } },
      error: { code, message: 'no luck' },
    })
    await world.clock.advance(2_000)
    await worker.report(await worker.take(), failure(code))
    expect(await world.job(jobId)).toMatchObject({
      status: 'quarantined',
      error: { code, message: 'Task failed after 2 attempts: no luck' },
    })
  })

  it.each(['PERMANENT_ERROR', 'SECURITY_ERROR', 'DEPENDENCY_ERROR', 'CONTRACT_VIOLATION_ERROR'])(
    'as %s sets the job aside at once',
    async (code) => {
      const { world, worker, jobId } = await scene()
      await worker.report(await worker.take(), failure(code))
      expect(await world.job(jobId)).toMatchObject({
        status: 'quarantined',
        state: 'start',
        error: { code, message: `Task failed with permanent error (${code}): no luck` },
      })
    },
  )

  it.each(['INVALID_INPUT_ERROR', 'INTEGRITY_MISMATCH_ERROR'])(
    'as %s fails the job at once',
    async (code) => {
      const { world, worker, jobId } = await scene()
      await worker.report(await worker.take(), failure(code))
      expect(await world.job(jobId)).toMatchObject({
        status: 'failed',
        error: { code, message: 'Task failed due to invalid input: no luck' },
      })
    },
  )

  // D-29: the transition for failures was never taken.
  it('as a failure without an error goes where failures go, with its data (D-29)', async () => {
    const transitions = { success: 'done', failure: 'repaired' }
    const { world, worker, jobId } = await scene(dispatching({ transitions }))
    await worker.report(await worker.take(), { status: 'failure', data: { seen: 3 } })
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      state: 'repaired',
      result: { stateHistory: { seen: 3 } },
    })
  })

  it('as a failure without an error and without a way to go is tried again', async () => {
    const { world, worker, jobId } = await scene()
    await worker.report(await worker.take(), { status: 'failure' })
    expect(await world.job(jobId)).toMatchObject({
      status: 'waiting_for_worker',
      error: { code: 'TRANSIENT_ERROR', message: expect.stringContaining('without an error') },
    })
  })

  it.each([
    ['PERMANENT_ERROR', 1],
    ['INVALID_INPUT_ERROR', 1],
    ['TRANSIENT_ERROR', 2],
  ])(
    'as %s goes where failures go after %i tries, with its error, when the dispatch asks for that (D-29)',
    async (code, tries) => {
      const transitions = { success: 'done', failure: 'repaired' }
      const retry = { attempts: 2 }
      const blueprint = dispatching({ transitions, onFailure: 'transition', retry })
      const { world, worker, jobId } = await scene(blueprint)
      for (let i = 1; i <= tries; i += 1) {
        await worker.report(await worker.take(), failure(code))
        await world.clock.advance(2_000)
      }
      const error = { code, message: expect.stringContaining('no luck') }
      expect(await world.job(jobId)).toMatchObject({
        status: 'finished',
        state: 'repaired',
        error: null,
        result: { error, stateHistory: { error } },
      })
    },
  )

  it('as a status of its own goes where the dispatch says, with its data', async () => {
    const transitions = { success: 'done', too_small: 'repaired' }
    const { world, worker, jobId } = await scene(dispatching({ transitions }))
    const decision = await worker.report(await worker.take(), {
      status: 'too_small',
      data: { n: 1 },
    })
    expect(decision).toMatchObject({ answer: { transition: 'too_small_transition' } })
    expect(await world.job(jobId)).toMatchObject({ state: 'repaired', stateHistory: { n: 1 } })
  })

  it('as a status that nobody declared fails the job, and names it and those that are', async () => {
    const transitions = { success: 'done', too_small: 'repaired' }
    const { world, worker, jobId } = await scene(dispatching({ transitions }))
    await worker.report(await worker.take(), { status: 'too_large' })
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: {
        code: 'UNHANDLED_STATUS',
        message:
          'Worker returned unhandled status: too_large (task resize). ' +
          'Declared transitions: success, too_small.',
      },
    })
  })

  it('as cancelled ends the job so, or goes where the dispatch says', async () => {
    const one = await scene()
    await one.worker.report(await one.worker.take(), { status: 'cancelled' })
    expect(await one.world.job(one.jobId)).toMatchObject({ status: 'cancelled' })
    const transitions = { success: 'done', cancelled: 'repaired' }
    const two = await scene(dispatching({ transitions }))
    await two.worker.report(await two.worker.take(), { status: 'cancelled' })
    expect(await two.world.job(two.jobId)).toMatchObject({ status: 'finished', state: 'repaired' })
  })

  // D-83: a failure that could not be dispatched again at once was an error for the worker, who
  // sent it again and burned the retries.
  it('is answered although nobody is there to try again, twice the same, for one retry (D-83)', async () => {
    const { world, worker, jobId } = await scene()
    const task = await worker.take()
    const answer = { taskId: task.taskId, transition: 'failure_handled' }
    expect(await worker.report(task, TRANSIENT)).toMatchObject({ kind: 'changed', answer })
    await worker.beat({ status: 'offline' })
    expect(await worker.report(task, TRANSIENT)).toEqual({ kind: 'repeated', answer })
    await world.pass(3_600_000)
    expect(await worker.report(task, TRANSIENT)).toEqual({ kind: 'repeated', answer })
    expect(await world.job(jobId)).toMatchObject({
      status: 'waiting_for_worker',
      wait: { retries: 1, attempt: 2, phase: { kind: 'offered' } },
    })
  })
})

// D-28: a retry came at once and mostly went to the worker that had just failed.
describe('a retry', () => {
  it('goes to another worker first, though the one that failed asked before (D-28)', async () => {
    const { world, engine, worker, jobId } = await scene()
    const other = await Hand.hire(engine, 'other')
    await worker.report(await worker.take(), TRANSIENT)
    const first = worker.poll(30_000)
    await settled()
    const second = other.poll(30_000)
    await world.clock.advance(1_000)
    expect(await second).toMatchObject([{ task: { jobId, attempt: 2 } }])
    await world.clock.advance(29_000)
    expect(await first).toEqual([])
  })

  it('goes to the same worker when it is alone, at most a second after the pause (D-28)', async () => {
    const { world, worker, jobId } = await scene()
    await worker.report(await worker.take(), TRANSIENT)
    const polled = worker.poll(30_000)
    const failedAt = world.clock.now()
    await world.clock.advance(1_999)
    expect(await world.job(jobId)).toMatchObject({ wait: { phase: { kind: 'offered' } } })
    await world.clock.advance(1)
    expect(await polled).toMatchObject([{ task: { jobId, attempt: 2 } }])
    expect(await world.job(jobId)).toMatchObject({
      wait: { phase: { kind: 'claimed', workerId: 'w-1', claimedAt: failedAt + 2_000 } },
    })
  })

  it('goes to the same worker when the other one cannot take it', async () => {
    const { world, engine, worker, jobId } = await scene()
    const other = await Hand.hire(engine, 'o', {
      supported_skills: ['crop'],
    })
    await worker.report(await worker.take(), TRANSIENT)
    const polls = [worker.poll(30_000), other.poll(30_000)]
    await world.clock.advance(2_000)
    expect(await polls[0]).toMatchObject([{ task: { jobId } }])
  })

  it('pauses as its dispatch says', async () => {
    const retry = { attempts: 4, initialDelay: 10, factor: 3, maxDelay: 50, jitter: 0 }
    const { world, worker, jobId } = await scene(dispatching({ retry }))
    const pauses: number[] = []
    for (let i = 1; i <= 3; i += 1) {
      await worker.report(await worker.take(), TRANSIENT)
      const { wait } = await world.job(jobId)
      if (wait?.for !== 'task' || wait.phase.kind !== 'backing_off') throw new Error('It is over.')
      pauses.push(wait.phase.until - world.clock.now())
      await world.clock.advance(51_000)
    }
    expect(pauses).toEqual([10_000, 30_000, 50_000])
  })

  // D-28: one counter for handlers and tasks, which only some transitions reset.
  it('is counted by its task alone: another task, or a handler, has all of its own (D-28)', async () => {
    const world = new World()
    const blueprint = new Blueprint('order')
      .state('start', { start: true }, ({ actions, attempt }) => {
        if (attempt <= 3) throw new Error('not yet')
        actions.dispatchTask({ type: 'resize', transitions: { success: 'more' } })
      })
      .state('more', ({ actions, attempt }) => {
        if (attempt <= 3) throw new Error('not yet')
        actions.dispatchTask({ type: 'resize', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    for (const state of ['start', 'more']) {
      await world.clock.advance(10_000)
      for (let i = 1; i <= 3; i += 1) {
        await worker.report(await worker.take(), TRANSIENT)
        await world.clock.advance(10_000)
      }
      expect(await world.job(jobId)).toMatchObject({ state, status: 'waiting_for_worker' })
      await worker.report(await worker.take())
    }
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('is spent once for each worker that is lost, and is not held up by a pause (D-26)', async () => {
    const { world, engine, worker, jobId } = await scene(dispatching({ retry: { attempts: 3 } }))
    await worker.take()
    for (const [i, name] of ['second', 'third'].entries()) {
      const next = await Hand.hire(engine, name)
      await (i === 0 ? worker : new Hand(engine, 'second')).beat({ status: 'offline' })
      await world.clock.advance(0)
      expect(await world.job(jobId)).toMatchObject({
        wait: { retries: i + 1, attempt: i + 2, phase: { kind: 'offered' } },
      })
      await next.take()
    }
    await new Hand(engine, 'third').beat({ status: 'offline' })
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({
      status: 'quarantined',
      error: { code: 'WORKER_LOST', message: expect.stringMatching(/after 3 attempts.*third/) },
    })
  })
})

// D-10: nothing said why a task found no worker, and it did not wait for one.
describe('a task that nobody takes in time', () => {
  const refusals: [string, Partial<DispatchOptions>, Record<string, Said>, RegExp][] = [
    ['there is no worker', {}, {}, /no worker is registered/],
    [
      'the only one has another skill',
      {},
      { a: { supported_skills: ['crop'] } },
      /the only worker does not offer the skill 'resize'/,
    ],
    [
      'the version is another',
      { skillVersion: '2' },
      { a: { supported_skills: [{ name: 'resize', version: '1' }] } },
      /does not offer version 2 of 'resize' \(has 1\)/,
    ],
    [
      'the type is another',
      { skillType: 'gpu' },
      { a: { supported_skills: [{ name: 'resize', type: 'cpu' }] } },
      /does not offer 'resize' of the type 'gpu'/,
    ],
    ['it costs too much', { maxCost: 0.1 }, { a: { cost_per_skill: { resize: 0.5 } } }, /cost/],
    ['it drains', {}, { a: { status: 'draining' } }, /is draining/],
    ['it did not ask', {}, { a: {} }, /1 worker fits, but did not ask for a task/],
    [
      'each of several has a reason of its own',
      { skillVersion: '2' },
      {
        a: { supported_skills: ['crop'] },
        b: { supported_skills: ['crop'] },
        c: { supported_skills: [{ name: 'resize', version: '1' }] },
      },
      /of 3 workers, 2 do not offer the skill 'resize', 1 does not offer version 2/,
    ],
  ]

  it.each(refusals)(
    'because %s fails its job and says so (D-10)',
    async (_why, options, workers, text) => {
      const world = new World()
      const blueprint = dispatching({ dispatchTimeout: 30, ...options })
      const engine = world.engine(blueprint)
      for (const [id, said] of Object.entries(workers)) await Hand.hire(engine, id, said)
      const jobId = await create(engine, blueprint)
      await world.clock.advance(29_999)
      expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
      await world.clock.advance(1)
      const { status, error } = await world.job(jobId)
      expect(status).toBe('failed')
      expect(error).toMatchObject({
        code: 'TIMEOUT_ERROR',
        message: expect.stringMatching(
          /^Task resize timed out: no worker took it in time \(dispatch timeout\): /,
        ),
      })
      expect(error?.message).toMatch(text)
    },
  )

  it('because the only one is full fails its job and says so', async () => {
    const world = new World()
    const blueprint = dispatching({ dispatchTimeout: 30 })
    const engine = world.engine(blueprint, oneTask('first'))
    const worker = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 1 })
    await create(engine, oneTask('first'))
    const { taskId } = await worker.take()
    const jobId = await create(engine, blueprint)
    expect(await worker.poll()).toEqual([])
    await worker.beat({ current_tasks: [taskId] })
    await world.clock.advance(30_000)
    expect((await world.job(jobId)).error?.message).toMatch(/1 worker fits, but is full/)
  })

  it('goes where failures go when the dispatch asks for that', async () => {
    const transitions = { success: 'done', failure: 'repaired' }
    const blueprint = dispatching({ dispatchTimeout: 30, transitions, onFailure: 'transition' })
    const world = new World()
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await world.clock.advance(30_000)
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      result: { error: { code: 'TIMEOUT_ERROR' } },
    })
  })
})

describe('a task that was taken', () => {
  it('and is not answered in time counts as TIMEOUT_ERROR: tried again, then set aside', async () => {
    const { world, worker, jobId } = await scene(
      dispatching({ timeout: 10, retry: { attempts: 2 } }),
    )
    await worker.take()
    await world.clock.advance(10_000)
    expect(await world.job(jobId)).toMatchObject({ error: { code: 'TIMEOUT_ERROR' } })
    await world.clock.advance(2_000)
    await worker.take()
    await world.clock.advance(10_000)
    expect(await world.job(jobId)).toMatchObject({
      status: 'quarantined',
      error: {
        code: 'TIMEOUT_ERROR',
        message: 'Task failed after 2 attempts: Worker w-1 gave no result within 10 s.',
      },
    })
  })

  it('is not moved by progress of another, and shows its own', async () => {
    const { world, engine, worker, jobId } = await scene()
    const { taskId } = await worker.take()
    const report = { jobId, taskId, progress: 0.5, message: 'half' }
    expect(await engine.reportProgress({ ...report, workerId: 'thief' })).toMatchObject({
      kind: 'ignored',
    })
    expect(await world.job(jobId)).toMatchObject({ progress: null, progressMessage: null })
    await engine.reportProgress({ ...report, workerId: 'w-1' })
    expect(await world.job(jobId)).toMatchObject({ progress: 0.5, progressMessage: 'half' })
  })
})
