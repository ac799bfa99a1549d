import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { ChildOptions } from '../src/blueprint/actions.ts'
import type { HandlerContext } from '../src/blueprint/handler-context.ts'
import type { Job } from '../src/job/job.ts'
import { create, Hand, oneTask, OWNER, SETTINGS, World } from './support/engine-world.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

/** Runs `child` and ends with what came of it; every end of it leads on. */
function parentOf(child: string, options: Partial<ChildOptions> = {}): Blueprint {
  return new Blueprint('parent')
    .state('start', { start: true, to: ['done'] }, ({ actions, initialData }) => {
      const transitions = { success: 'done', failure: 'done' }
      actions.runBlueprint({ name: child, initialData, transitions, ...options })
    })
    .state('done', { end: true }, ({ child: report }) => ({ ...report }))
}

/** Keeps messages back until told, and hands out each as often as asked. */
class SlowMail {
  isHeld = true
  copies = 1
  readonly #prompt = openStorage()
  readonly storage = overlay(this.#prompt, {
    claimMessages: async (claim) => {
      if (this.isHeld) return []
      const messages = await this.#prompt.claimMessages(claim)
      return messages.flatMap((message) => Array.from({ length: this.copies }, () => message))
    },
  })
}

async function childOf(world: World, parentId: string): Promise<Job> {
  const { wait } = await world.job(parentId)
  if (wait?.for !== 'child') throw new Error(`Job ${parentId} waits for no child.`)
  return world.job(wait.childId)
}

/** How often the state was entered, by the history. */
async function timesEntered(world: World, jobId: string, state: string): Promise<number> {
  const rows = await world.history.ofJob(jobId)
  return rows.filter(({ type, nextState }) => type === 'state_finished' && nextState === state)
    .length
}

describe('a child job', () => {
  // D-36: a child had no owner, no tracing, and always began in `start`.
  it('runs for its parent’s client, without its webhook, and brings its result (D-36)', async () => {
    const world = new World()
    const child = new Blueprint('invoice')
      .state('begin', { start: true }, ({ actions, total }) => {
        actions.dispatchTask({
          type: 'resize',
          params: { total },
          transitions: { success: 'sent' },
        })
      })
      .state('sent', { end: true }, ({ no }) => ({ no }))
    const parent = parentOf('invoice')
    const engine = world.engine(parent, child)
    const worker = await Hand.hire(engine)
    const owner = { ...OWNER, plan: 'pro', params: { region: 'eu' } }
    const tracing = { traceparent: '00-aa-bb-01' }
    const jobId = await create(engine, parent, {
      initialData: { total: 300 },
      owner,
      tracing,
      webhookUrl: 'https://host/hook',
    })

    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_sub_job' })
    const born = await childOf(world, jobId)
    expect(born).toMatchObject({
      parentId: jobId,
      depth: 1,
      state: 'begin',
      blueprint: { name: 'invoice' },
      initialData: { total: 300 },
      owner,
      tracing,
      webhookUrl: null,
    })
    const task = await worker.take()
    expect(task).toMatchObject({ jobId: born.id, params: { total: 300 }, tracing })
    await worker.report(task, { data: { no: 7 } })

    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      result: {
        jobId: born.id,
        outcome: 'success',
        status: 'finished',
        finalState: 'sent',
        result: { no: 7 },
        error: null,
      },
    })
    expect(world.calls(jobId)).toEqual([['job_finished', 'finished']])
    expect(world.calls(born.id)).toEqual([])
    expect(await world.records(jobId)).toEqual([
      'job_created',
      'child_started',
      'child_finished',
      'state_finished',
      'job_finished',
    ])
  })

  // D-17: a parent was resumed two or three times.
  it('is made once and resumes its parent once, though every message comes three times (D-17)', async () => {
    const mail = new SlowMail()
    mail.isHeld = false
    mail.copies = 3
    const world = new World({ storage: mail.storage })
    let runs = 0
    const child = new Blueprint('invoice').state('begin', { start: true, end: true }, () => {
      runs += 1
    })
    const parent = parentOf('invoice')
    const engine = world.engine(parent, child)
    const jobId = await create(engine, parent, { webhookUrl: 'https://host/hook' })
    await world.clock.advance(60_000)
    expect(runs).toBe(1)
    expect(await timesEntered(world, jobId, 'done')).toBe(1)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', transitionCount: 1 })
  })

  // D-18: only the end by a handler was told to the parent.
  describe('resumes its parent, whatever its end (D-18)', () => {
    const endings: [string, string, (c: HandlerContext) => unknown][] = [
      [
        'finished',
        'success',
        ({ actions }) => {
          actions.goTo('done')
        },
      ],
      [
        'failed',
        'failure',
        ({ actions }) => {
          actions.goTo('failed')
        },
      ],
      ['failed', 'failure', () => undefined],
      [
        'quarantined',
        'failure',
        () => {
          throw new Error('no luck')
        },
      ],
      [
        'failed',
        'failure',
        ({ actions }) => {
          actions.sleep({ seconds: 3_600, next: 'done' })
        },
      ],
      [
        'failed',
        'failure',
        ({ actions }) => {
          actions.goTo('start')
        },
      ],
      [
        'failed',
        'failure',
        ({ actions }) => {
          actions.dispatchTask({ type: 'x', dispatchTimeout: 9, transitions: { success: 'done' } })
        },
      ],
    ]
    it.each(endings.map(([status, outcome, handler], i) => ({ i, status, outcome, handler })))(
      '$status by way $i',
      async ({ status, outcome, handler }) => {
        const world = new World()
        const child = new Blueprint('invoice', { timeout: 600 })
          .state('start', { start: true, to: ['done', 'failed'] }, handler)
          .state('done', { end: true })
          .state('failed', { end: true })
        const parent = parentOf('invoice')
        const engine = world.engine(parent, child)
        const jobId = await create(engine, parent)
        await world.clock.advance(601_000)
        expect(await world.job(jobId)).toMatchObject({
          status: 'finished',
          result: { outcome, status },
        })
        expect(await timesEntered(world, jobId, 'done')).toBe(1)
      },
    )

    it.each([
      ['PERMANENT_ERROR', 'quarantined'],
      ['INVALID_INPUT_ERROR', 'failed'],
    ])('by a worker’s %s: %s', async (code, status) => {
      const world = new World()
      const parent = parentOf('order')
      const engine = world.engine(parent, oneTask())
      const worker = await Hand.hire(engine)
      const jobId = await create(engine, parent)
      await worker.report(await worker.take(), {
        status: 'failure',
        error: { code, message: 'no' },
      })
      expect(await world.job(jobId)).toMatchObject({
        status: 'finished',
        result: { outcome: 'failure', status, error: { code }, finalState: 'start' },
      })
    })

    it('cancelled by a client', async () => {
      const world = new World()
      const parent = parentOf('order')
      const engine = world.engine(parent, oneTask())
      const jobId = await create(engine, parent)
      await engine.cancelJob((await childOf(world, jobId)).id)
      await world.clock.advance(0)
      expect(await world.job(jobId)).toMatchObject({
        status: 'finished',
        result: { outcome: 'failure', status: 'cancelled', error: { code: 'JOB_CANCELLED' } },
      })
    })
  })

  it('leads where its very status leads before it leads to failure', async () => {
    const world = new World()
    const parent = parentOf('order', {
      transitions: { quarantined: 'aside', failure: 'done' },
    }).state('aside', { end: true })
    const engine = world.engine(parent, oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, parent)
    const error = { code: 'PERMANENT_ERROR', message: 'no' }
    await worker.report(await worker.take(), { status: 'failure', error })
    expect(await world.job(jobId)).toMatchObject({ state: 'aside' })
  })

  // D-19: a parent without a transition went to a state `failed` that was not there.
  it('fails its parent when no transition is declared for its end, and says why (D-19)', async () => {
    const world = new World()
    const parent = parentOf('order', { transitions: { success: 'done' } })
    const engine = world.engine(parent, oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, parent)
    const error = { code: 'PERMANENT_ERROR', message: 'no luck' }
    await worker.report(await worker.take(), { status: 'failure', error })
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: {
        code: 'CHILD_FAILED',
        message: expect.stringMatching(/blueprint 'order' ended as quarantined.*no luck/),
      },
    })
  })

  it('may have a child, and each end goes up one level', async () => {
    const world = new World()
    const middle = new Blueprint('middle')
      .state('start', { start: true }, ({ actions }) => {
        actions.runBlueprint({ name: 'order', transitions: { success: 'done' } })
      })
      .state('done', { end: true }, ({ child }) => ({ of: child?.result ?? null }))
    const parent = parentOf('middle')
    const engine = world.engine(parent, middle, oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, parent)
    const task = await worker.take()
    expect(await world.job(task.jobId)).toMatchObject({ depth: 2, owner: OWNER })
    await worker.report(task, { data: { out: 1 } })
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      result: { result: { of: { out: 1 } } },
    })
  })

  it('of a blueprint that runs itself ends at the depth limit, all the way up', async () => {
    const rules = { ...SETTINGS.rules, maxDepth: 3 }
    const world = new World({ settings: { rules } })
    const parent = new Blueprint('parent')
      .state('start', { start: true }, ({ actions }) => {
        actions.runBlueprint({ name: 'parent', transitions: { failure: 'gave_up' } })
      })
      .state('gave_up', { end: 'failed' }, ({ child }) => ({ because: child?.error ?? null }))
    const engine = world.engine(parent)
    const jobId = await create(engine, parent)
    const ids = [jobId]
    const rows = await world.history.ofJob(jobId)
    expect(rows.filter(({ type }) => type === 'child_started')).toHaveLength(1)
    expect(await world.job(jobId)).toMatchObject({ status: 'failed', state: 'gave_up' })
    for (let depth = 1; depth <= 3; depth += 1) ids.push(`${ids.at(-1) ?? ''}-c2`)
    const deepest = await world.job(ids.at(-1) ?? '')
    expect(deepest).toMatchObject({
      depth: 3,
      status: 'failed',
      state: 'start',
      error: {
        code: 'TOO_DEEP',
        message: expect.stringMatching(
          /'parent' would run at depth 4; the limit is 3 \(maxDepth\)/,
        ),
      },
    })
    expect(await world.storage.findJob(`${deepest.id}-c2`)).toBeUndefined()
  })
})

describe('a parent that ends', () => {
  it('before its child exists has no child: the order to make it comes too late', async () => {
    const mail = new SlowMail()
    const world = new World({ storage: mail.storage })
    const parent = parentOf('order')
    const engine = world.engine(parent, oneTask())
    const jobId = await create(engine, parent)
    const { wait } = await world.job(jobId)
    await engine.cancelJob(jobId)
    mail.isHeld = false
    await world.clock.advance(30_000)
    expect(wait).toMatchObject({ for: 'child' })
    expect(await world.storage.findJob(wait?.for === 'child' ? wait.childId : '')).toBeUndefined()
    expect(await world.storage.countOfferedTasks()).toBe(0)
  })

  // D-16: children and tasks of a cancelled job went on.
  it('cancels its child, and its child’s child, and the task of that (D-16)', async () => {
    const world = new World()
    const middle = new Blueprint('middle')
      .state('start', { start: true }, ({ actions }) => {
        actions.runBlueprint({ name: 'order', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    const parent = parentOf('middle')
    const engine = world.engine(parent, middle, oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, parent)
    const task = await worker.take()
    const child = await childOf(world, jobId)
    await engine.cancelJob(jobId)
    await world.clock.advance(0)
    for (const id of [child.id, task.jobId]) {
      expect(await world.job(id)).toMatchObject({ status: 'cancelled' })
    }
    expect((await world.job(child.id)).error?.message).toContain(
      `Its parent job ${jobId} ended as cancelled`,
    )
    expect(await worker.beat({ current_tasks: [task.taskId] })).toEqual([task.taskId])
    expect(await worker.report(task)).toEqual({ kind: 'ignored', reason: 'job_cancelled' })
    expect(await world.job(jobId)).toMatchObject({ status: 'cancelled' })
  })

  it('while its child is being made cancels that child: none is left behind', async () => {
    let beforeCreate: (() => Promise<void>) | undefined
    const inner = openStorage()
    const storage = overlay(inner, {
      commit: async (entries) => {
        const act = beforeCreate
        if (act !== undefined && entries.some(({ job }) => job.parentId !== null)) {
          beforeCreate = undefined
          // As another engine would: straight to the storage, and its word is delivered at once.
          await act()
        }
        return inner.commit(entries)
      },
    })
    const world = new World({ storage })
    const parent = parentOf('order')
    const one = world.engine(parent, oneTask())
    const two = world.engine(parent, oneTask())
    beforeCreate = () => two.cancelJob('job-1')
    const jobId = await create(one, parent)
    await world.clock.advance(60_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'cancelled' })
    expect(await world.job(`${jobId}-c2`)).toMatchObject({ status: 'cancelled' })
    expect(await world.storage.countOfferedTasks()).toBe(0)
  })

  it('by its own timeout takes its child with it', async () => {
    const world = new World()
    const parent = parentOf('order')
    const engine = world.engine(parent, oneTask())
    const jobId = await create(engine, parent, { jobTimeoutMs: 60_000 })
    const child = await childOf(world, jobId)
    await world.clock.advance(60_000)
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: { code: 'TIMEOUT_ERROR' },
    })
    expect(await world.job(child.id)).toMatchObject({ status: 'cancelled' })
  })
})

describe('a child in quarantine', () => {
  it('that is let go on and ends does not resume its parent a second time (D-17)', async () => {
    const world = new World()
    const parent = parentOf('order')
    const engine = world.engine(parent, oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, parent, { webhookUrl: 'https://host/hook' })
    const child = await childOf(world, jobId)
    const error = { code: 'PERMANENT_ERROR', message: 'no' }
    await worker.report(await worker.take(), { status: 'failure', error })
    const ended = await world.job(jobId)
    expect(ended).toMatchObject({ status: 'finished', result: { status: 'quarantined' } })

    await engine.desk.retry(child.id, null)
    await world.clock.advance(0)
    await worker.report(await worker.take())
    expect(await world.job(child.id)).toMatchObject({ status: 'finished' })
    await world.clock.advance(60_000)
    expect(await world.job(jobId)).toEqual(ended)
    expect(world.calls(jobId)).toEqual([['job_finished', 'finished']])
  })

  it('does not resume a parent that by then waits for another child', async () => {
    const world = new World()
    const parent = new Blueprint('parent')
      .state('start', { start: true }, ({ actions }) => {
        actions.runBlueprint({ name: 'order', transitions: { failure: 'again' } })
      })
      .state('again', ({ actions }) => {
        actions.runBlueprint({ name: 'order', transitions: { success: 'done' } })
      })
      .state('done', { end: true }, ({ child }) => ({ ...child }))
    const engine = world.engine(parent, oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, parent)
    const first = await childOf(world, jobId)
    const error = { code: 'PERMANENT_ERROR', message: 'no' }
    await worker.report(await worker.take(), { status: 'failure', error })
    const second = await childOf(world, jobId)
    await engine.desk.retry(first.id, null)
    await world.clock.advance(0)
    const tasks = (await worker.poll(0, { max: 5 })).map(({ task }) => task)
    const late = tasks.find((task) => task.jobId === first.id)
    const awaited = tasks.find((task) => task.jobId === second.id)
    if (late === undefined || awaited === undefined) throw new Error('Both children have a task.')
    await worker.report(late, { data: { by: 'first' } })
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_sub_job', state: 'again' })
    await worker.report(awaited, { data: { by: 'second' } })
    expect(await world.job(jobId)).toMatchObject({ result: { result: { by: 'second' } } })
  })
})

// D-36: that a child's blueprint was missing showed when it was executed, and named nothing.
describe('a child blueprint that is not there', () => {
  it('when named by a computed name, is an error at the step that says which (D-36)', async () => {
    const world = new World()
    const parent = new Blueprint('parent')
      .state('start', { start: true }, ({ actions, which, version }) => {
        const order = { name: String(which), transitions: { success: 'done' } }
        actions.runBlueprint({
          ...order,
          ...(version !== undefined && { version: String(version) }),
        })
      })
      .state('done', { end: true })
    const engine = world.engine(parent, oneTask())
    const errorOf = async (initialData: object): Promise<unknown> => {
      const jobId = await create(engine, parent, { initialData })
      expect(await world.job(jobId)).toMatchObject({
        status: 'awaiting_retry',
        wait: { for: 'retry' },
      })
      await world.clock.advance(10_000)
      const job = await world.job(jobId)
      expect(job.status).toBe('quarantined')
      return job.error
    }
    expect(await errorOf({ which: 'nope' })).toEqual({
      code: 'BLUEPRINT_NOT_FOUND',
      message: "runBlueprint: there is no blueprint 'nope'. Register it, or correct the name.",
    })
    expect(await errorOf({ which: 'order', version: 'v9' })).toEqual({
      code: 'BLUEPRINT_NOT_FOUND',
      message:
        "runBlueprint: there is no blueprint 'order' (v9). Register it, or correct the name.",
    })
  })

  it('keeps the engine from starting when it is named literally', () => {
    const world = new World()
    const parent = new Blueprint('parent')
      .state('start', { start: true }, ({ actions }) => {
        actions.runBlueprint({ name: 'nope', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    expect(() => world.engine(parent)).toThrow(
      expect.objectContaining({
        code: 'BLUEPRINT_INVALID',
        message: expect.stringContaining("state 'start' of blueprint 'parent' runs 'nope'"),
      }),
    )
  })

  it('is waited for when it was there at the step and is not loaded any more', async () => {
    const mail = new SlowMail()
    const world = new World({ storage: mail.storage })
    const parent = parentOf('order')
    const engine = world.engine(parent, oneTask())
    const jobId = await create(engine, parent)
    await engine.stop()
    mail.isHeld = false
    const poorer = world.engine(parent)
    await world.clock.advance(60_000)
    expect(await childOf(world, jobId)).toMatchObject({
      status: 'awaiting_retry',
      error: { code: 'BLUEPRINT_NOT_LOADED' },
    })
    await poorer.stop()
    const richer = world.engine(parent, oneTask())
    await world.clock.advance(10_000)
    const worker = await Hand.hire(richer)
    await worker.report(await worker.take())
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })
})

describe('the input and the limits of a child', () => {
  it('are checked by its blueprint before there is a child', async () => {
    const world = new World()
    const input = z.object({ total: z.number() })
    const child = new Blueprint('invoice', { input }).state('begin', { start: true, end: true })
    const parent = parentOf('invoice')
    const engine = world.engine(parent, child)
    const jobId = await create(engine, parent, { initialData: { total: 'much' } })
    expect(await world.job(jobId)).toMatchObject({
      state: 'start',
      status: 'awaiting_retry',
      error: {
        code: 'INVALID_INPUT',
        message: expect.stringContaining("blueprint 'invoice': initial_data.total: "),
      },
    })
    expect(await world.storage.findJob(`${jobId}-c2`)).toBeUndefined()
  })

  it('are those of the call, else those of its blueprint; a parent without limits has none', async () => {
    const world = new World()
    const child = new Blueprint('invoice', { timeout: 50 })
      .state('begin', { start: true }, ({ actions }) => {
        actions.sleep({ seconds: 3_600, next: 'sent' })
      })
      .state('sent', { end: true })
    const asBlueprint = parentOf('invoice')
    const asCalled = new Blueprint('called')
      .state('start', { start: true }, ({ actions }) => {
        const transitions = { success: 'done' }
        const timeouts = { dispatch: 1, result: 2, total: 3 }
        actions.runBlueprint({ name: 'invoice', transitions, timeouts })
      })
      .state('done', { end: true })
    const engine = world.engine(asBlueprint, asCalled, child)
    const one = await create(engine, asBlueprint, { resultTimeoutMs: 5_000 })
    const two = await create(engine, asCalled)
    expect(await childOf(world, one)).toMatchObject({
      dispatchTimeoutMs: null,
      resultTimeoutMs: null,
      timeoutMs: 50_000,
    })
    expect(await childOf(world, two)).toMatchObject({
      dispatchTimeoutMs: 1_000,
      resultTimeoutMs: 2_000,
      timeoutMs: 3_000,
    })
    await world.clock.advance(3_000)
    expect(await world.job(two)).toMatchObject({
      status: 'failed',
      error: { code: 'CHILD_FAILED', message: expect.stringContaining('job timeout') },
    })
  })
})
