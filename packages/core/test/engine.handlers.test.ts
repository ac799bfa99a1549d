import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { Handler } from '../src/blueprint/handler-context.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { settled } from './support/storage-under-test.ts'

/** One state with this handler, and an end. */
function withHandler(handler: Handler): Blueprint {
  return new Blueprint('order')
    .state('start', { start: true, to: ['done'] }, handler)
    .state('done', { end: true })
}

describe('a handler that throws', () => {
  // D-28: retries came at once.
  it('runs again after 1, 2 and 4 s, and then its job is quarantined (D-28)', async () => {
    const world = new World()
    const ranAt: number[] = []
    const blueprint = withHandler(() => {
      ranAt.push(world.clock.now())
      throw new Error('no luck')
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({
      status: 'awaiting_retry',
      retryCount: 1,
      error: { code: 'HANDLER_FAILED', message: 'no luck' },
    })
    await world.clock.advance(60_000)
    const [first = 0] = ranAt
    expect(ranAt.map((at) => at - first)).toEqual([0, 1_000, 3_000, 7_000])
    expect(await world.job(jobId)).toMatchObject({
      status: 'quarantined',
      error: { message: 'no luck' },
    })
    expect(await engine.listQuarantined(10, 'client-1')).toMatchObject([{ id: jobId }])
    expect(await engine.listQuarantined(10, 'client-2')).toEqual([])
    expect(await engine.listQuarantined(10)).toMatchObject([{ id: jobId }])
  })

  it('does not harm its job when a later try succeeds', async () => {
    const world = new World()
    const blueprint = withHandler(({ attempt, actions }) => {
      if (attempt < 3) throw new Error('not yet')
      actions.goTo('done')
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await world.clock.advance(3_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', retryCount: 0, error: null })
  })

  it('undoes the action that it took before', async () => {
    const world = new World()
    const blueprint = withHandler(({ actions }) => {
      actions.goTo('done')
      throw new Error('after all')
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({ state: 'start', status: 'awaiting_retry' })
  })

  it.each([
    ['a text', 'just text', 'just text'],
    ['nothing', undefined, 'undefined'],
    ['an error without a message', new Error(''), 'The handler threw.'],
    [
      'an error with a message that is none',
      Object.assign(new Error('x'), { message: { a: 1 } }),
      expect.any(String),
    ],
    ['an object that cannot be shown', Object.create(null), expect.any(String)],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
  ])('may throw %s', async (_what, thrown, message) => {
    const world = new World()
    const blueprint = withHandler(() => {
      throw thrown
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({ status: 'awaiting_retry', error: { message } })
  })
})

describe('a handler that takes not exactly one action', () => {
  // D-9: such a job stayed `running` for ever.
  it('fails its job at once when it took none (D-9)', async () => {
    const world = new World()
    const blueprint = withHandler(() => 'something else')
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: {
        code: 'HANDLER_NO_ACTION',
        message: expect.stringContaining("State 'start' of blueprint 'order'"),
      },
    })
  })

  it('fails when it took two, even if it swallowed the error', async () => {
    const world = new World()
    const blueprint = withHandler(({ actions }) => {
      actions.goTo('done')
      try {
        actions.transitionTo('done')
      } catch {
        // An author's mistake.
      }
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({
      state: 'start',
      error: {
        code: 'HANDLER_TWO_ACTIONS',
        message: expect.stringMatching(/goTo \('done'\).*transitionTo \('done'\)/),
      },
    })
  })

  it('may be an end state, which then goes on instead of ending', async () => {
    const world = new World()
    const blueprint = new Blueprint('order')
      .state('start', { start: true, end: true }, ({ actions }) => {
        actions.goTo('done')
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({ state: 'done', status: 'finished' })
  })
})

describe('a handler that computes its target', () => {
  it('reaches it, declared or not', async () => {
    const world = new World()
    const blueprint = withHandler(({ actions, initialData }) => {
      actions.goTo(String(initialData['target']))
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint, { initialData: { target: 'done' } })
    expect(await world.job(jobId)).toMatchObject({ state: 'done' })
  })

  it('is told the states there are when it misses', async () => {
    const world = new World()
    const blueprint = withHandler(({ actions, initialData }) => {
      actions.goTo(String(initialData['target']))
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint, { initialData: { target: 'dome' } })
    expect(await world.job(jobId)).toMatchObject({
      error: {
        code: 'UNKNOWN_STATE',
        message: expect.stringContaining('Its states: start, done.'),
      },
    })
  })
})

describe('a handler', () => {
  // The stored document is the truth; a handler has only its actions to change it.
  it('cannot change the stored document by writing into its data', async () => {
    const world = new World()
    const blueprint = new Blueprint('order')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({ type: 'resize', transitions: { success: 'spoil' } })
      })
      .state('spoil', { end: true }, ({ stateHistory }) => {
        Object.assign(stateHistory, { out: 'spoiled' })
      })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    await worker.report(await worker.take(), { data: { out: 1 } })
    const job = await world.job(jobId)
    expect(job.stateHistory).toEqual({ out: 1 })
    expect(job.error?.message).toContain('read only')
  })

  // D-22: after a minute another instance ran the same step beside the first.
  it('that runs for ten minutes is run by nobody else meanwhile (D-22)', async () => {
    const world = new World()
    let runs = 0
    let finish = (): void => undefined
    const blueprint = withHandler(async ({ actions }) => {
      runs += 1
      await new Promise<void>((resolve) => (finish = resolve))
      actions.goTo('done')
    })
    const engine = world.engine(blueprint)
    world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await world.clock.advance(600_000)
    expect(runs).toBe(1)
    finish()
    await settled()
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  // D-16: a cancelled job was brought back by a step that was still running.
  it('that ends after its job was cancelled changes nothing (D-16)', async () => {
    const world = new World()
    let finish = (): void => undefined
    const blueprint = withHandler(async ({ actions }) => {
      await new Promise<void>((resolve) => (finish = resolve))
      actions.goTo('done')
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await engine.cancelJob(jobId)
    finish()
    await settled()
    expect(await world.job(jobId)).toMatchObject({ status: 'cancelled', state: 'start' })
  })

  it('leaves room for the others: no more than the set number run at a time', async () => {
    const world = new World({ settings: { executorConcurrency: 2 } })
    const running: (() => void)[] = []
    const blueprint = withHandler(async ({ actions }) => {
      await new Promise<void>((resolve) => running.push(resolve))
      actions.goTo('done')
    })
    const engine = world.engine(blueprint)
    const jobs = await Promise.all([1, 2, 3].map(() => create(engine, blueprint)))
    expect(running).toHaveLength(2)
    running[0]?.()
    await settled()
    expect(running).toHaveLength(3)
    for (const finish of running) finish()
    await settled()
    const statuses = await Promise.all(jobs.map(async (id) => (await world.job(id)).status))
    expect(new Set(statuses)).toEqual(new Set(['finished']))
  })
})

describe('a job whose blueprint is not loaded', () => {
  const version = (name: string): Blueprint =>
    new Blueprint('order', { version: name })
      .state('start', { start: true }, ({ actions }) => {
        actions.goTo('done')
      })
      .state('done', { end: true })

  it('waits, says for what, spends no retry, and goes on when an engine has it', async () => {
    const world = new World()
    const old = world.engine(version('v1'))
    const jobId = await create(old, version('v2'))
    const waiting = await world.job(jobId)
    expect(waiting).toMatchObject({
      status: 'awaiting_retry',
      state: 'start',
      retryCount: 0,
      error: { code: 'BLUEPRINT_NOT_LOADED', message: expect.stringContaining("'order' (v2)") },
    })
    await world.pass(3_600_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'awaiting_retry', retryCount: 0 })
    expect((await world.records(jobId)).filter((type) => type === 'state_deferred')).toHaveLength(1)

    await old.stop()
    world.engine(version('v1'), version('v2'))
    await world.clock.advance(10_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', error: null })
  })

  it('is not run by a blueprint of the same name in another version', async () => {
    const world = new World()
    const engine = world.engine(version('v1'), oneTask('other'))
    const jobId = await create(engine, version('v2'))
    expect((await world.job(jobId)).transitionCount).toBe(0)
  })
})
