import { UnavailableError } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { Handler } from '../src/blueprint/handler-context.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { Hooks, WorkerEventNotice } from '../src/engine/outgoing/hooks.ts'
import type { HistoryRecord } from '../src/job/effect.ts'
import { MemoryHistory } from '../src/memory/index.ts'
import type { Notification } from '../src/ports/notifier.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

const HOOK = { webhookUrl: 'https://host/hook?key=1' }

function away(): UnavailableError {
  return new UnavailableError('STORAGE_UNAVAILABLE', { message: 'The storage is away.' })
}

/** One state, which does this, and one end of each kind. */
function doing(handler: Handler): Blueprint {
  return new Blueprint('doing', { timeout: 600 })
    .state('start', { start: true, to: ['done', 'failed'] }, handler)
    .state('done', { end: true })
    .state('failed', { end: true })
}

// D-31: many ends told nobody, and a quarantine told twice.
describe('a webhook', () => {
  const endings: [event: string, what: string, handler: Handler][] = [
    [
      'job_finished',
      'a success',
      ({ actions }) => {
        actions.goTo('done')
      },
    ],
    [
      'job_failed',
      'a state that fails',
      ({ actions }) => {
        actions.goTo('failed')
      },
    ],
    ['job_failed', 'a handler without an action', () => undefined],
    [
      'job_failed',
      'a dispatch timeout',
      ({ actions }) => {
        actions.dispatchTask({ type: 'x', dispatchTimeout: 5, transitions: { success: 'done' } })
      },
    ],
    [
      'job_failed',
      'a job timeout',
      ({ actions }) => {
        actions.sleep({ seconds: 3_600, next: 'done' })
      },
    ],
    [
      'job_failed',
      'a loop',
      ({ actions }) => {
        actions.goTo('start')
      },
    ],
    [
      'job_quarantined',
      'a handler that throws and throws',
      () => {
        throw new Error('no luck')
      },
    ],
  ]

  it.each(endings)('says %s once after %s (D-31)', async (event, _what, handler) => {
    const world = new World()
    const blueprint = doing(handler)
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint, HOOK)
    await world.pass(3_600_000)
    const { status, result, error } = await world.job(jobId)
    expect(world.calls(jobId)).toEqual([[event, status]])
    expect(world.notifications).toMatchObject([
      { url: HOOK.webhookUrl, result, error: error?.message ?? null },
    ])
  })

  it.each([
    ['job_quarantined', { status: 'failure', error: { code: 'PERMANENT_ERROR', message: 'no' } }],
    ['job_failed', { status: 'failure', error: { code: 'INVALID_INPUT_ERROR', message: 'no' } }],
    [
      'job_failed',
      { status: 'failure', error: { code: 'INTEGRITY_MISMATCH_ERROR', message: 'n' } },
    ],
    ['job_failed', { status: 'a_status_of_its_own' }],
    ['job_cancelled', { status: 'cancelled' }],
    ['job_finished', { status: 'success' }],
  ])('says %s once after a worker’s %j (D-31)', async (event, said) => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask(), HOOK)
    await worker.report(await worker.take(), said)
    await world.clock.advance(60_000)
    expect(world.calls(jobId).map(([name]) => name)).toEqual([event])
  })

  it('says that a job was cancelled, once, and nothing of what comes after', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask(), HOOK)
    const task = await worker.take()
    await engine.cancelJob(jobId)
    await worker.report(task)
    await world.clock.advance(60_000)
    expect(world.calls(jobId)).toEqual([['job_cancelled', 'cancelled']])
  })

  it('has said nothing before the end, and nothing at all for a job without one', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const without = await create(engine, oneTask())
    const jobId = await create(engine, oneTask(), HOOK)
    const tasks = await worker.poll(0, { max: 9 })
    await world.clock.advance(0)
    expect(world.notifications).toEqual([])
    for (const { task } of tasks) await worker.report(task)
    await world.clock.advance(0)
    expect(world.calls(without)).toEqual([])
    expect(world.calls(jobId)).toHaveLength(1)
  })

  it('tells each event of a worker, and each that a handler sends in its own name, once', async () => {
    const world = new World()
    const blueprint = doing(({ actions }) => {
      actions.sendEvent({ name: 'begun', data: { n: 1 } })
      actions.dispatchTask({ type: 'resize', transitions: { success: 'done' } })
    })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint, HOOK)
    const { taskId } = await worker.take()
    const event = { jobId, taskId, workerId: 'w-1', type: 'half_way', payload: {} }
    await engine.events.reportByWorker({ ...event, eventId: 'one' })
    await engine.events.reportByWorker({ ...event, eventId: 'two' })
    await world.clock.advance(60_000)
    const status = 'waiting_for_worker'
    expect(world.calls(jobId)).toEqual([
      ['worker_event:begun', expect.any(String)],
      ['worker_event:half_way', status],
      ['worker_event:half_way', status],
    ])
    expect(new Set(world.notifications.map(({ id }) => id)).size).toBe(3)
  })

  it('is called again, under the same id, until somebody takes responsibility for it', async () => {
    const tried: string[] = []
    const onNotify = async ({ id }: Notification): Promise<void> => {
      tried.push(id)
      if (tried.length < 3) throw away()
      await Promise.resolve()
    }
    const world = new World({ onNotify })
    const blueprint = doing(({ actions }) => {
      actions.goTo('done')
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint, HOOK)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
    await world.clock.advance(60_000)
    expect(tried).toHaveLength(3)
    expect(new Set(tried).size).toBe(1)
    expect(world.calls(jobId)).toEqual([['job_finished', 'finished']])
  })

  it('that cannot be called holds up no other message', async () => {
    const onNotify = (): Promise<void> => Promise.reject(away())
    const world = new World({ onNotify })
    const parent = new Blueprint('parent')
      .state('start', { start: true }, ({ actions }) => {
        actions.sendEvent({ name: 'begun' })
        actions.runBlueprint({ name: 'doing', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    const child = doing(({ actions }) => {
      actions.goTo('done')
    })
    const engine = world.engine(parent, child)
    const jobId = await create(engine, parent, HOOK)
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })
})

describe('a message between jobs', () => {
  /** A storage that loses its connection now and then, by the name of the call. */
  class Shaky {
    readonly broken = new Map<string, number>()
    readonly #sound = openStorage()
    readonly storage = overlay(this.#sound, {
      claimMessages: async (claim) => {
        this.#mayFail('claimMessages')
        return this.#sound.claimMessages(claim)
      },
      ackMessages: async (messageIds) => {
        this.#mayFail('ackMessages')
        await this.#sound.ackMessages(messageIds)
      },
      commit: async (entries) => {
        const isChild = entries.some(({ job }) => job.parentId !== null)
        if (isChild) this.#mayFail('commit before')
        const outcomes = await this.#sound.commit(entries)
        // Written, but the answer is lost on the way.
        if (isChild) this.#mayFail('commit after')
        return outcomes
      },
      findJob: async (jobId) => {
        this.#mayFail('findJob')
        return this.#sound.findJob(jobId)
      },
    })

    #mayFail(call: string): void {
      const left = this.broken.get(call) ?? 0
      this.broken.set(call, left - 1)
      if (left > 0) throw away()
    }
  }

  // D-11, D-23: what was between two writes when something broke was lost.
  it.each([
    ['claimMessages', 3],
    ['ackMessages', 3],
    ['commit before', 2],
    ['commit after', 2],
    ['findJob', 4],
  ])(
    'comes through although %s fails %i times; its work is done once (D-11)',
    async (call, times) => {
      const shaky = new Shaky()
      const world = new World({ storage: shaky.storage })
      let runs = 0
      const child = new Blueprint('child').state('begin', { start: true, end: true }, () => {
        runs += 1
        return { runs }
      })
      const parent = new Blueprint('parent')
        .state('start', { start: true }, ({ actions }) => {
          actions.runBlueprint({ name: 'child', transitions: { success: 'done' } })
        })
        .state('done', { end: true }, ({ child: report }) => ({ ...report }))
      const engine = world.engine(parent, child)
      shaky.broken.set(call, times)
      const jobId = await create(engine, parent, HOOK)
      await world.clock.advance(300_000)
      expect(shaky.broken.get(call)).toBeLessThanOrEqual(0)
      expect(await world.job(jobId)).toMatchObject({ status: 'finished', transitionCount: 1 })
      expect(await world.job(`${jobId}-c2`)).toMatchObject({ status: 'finished' })
      // A step whose commit was lost on the way may have run twice; its outcome counts once.
      expect(runs).toBeLessThanOrEqual(2)
      const ends = (await world.records(`${jobId}-c2`)).filter((type) => type === 'job_finished')
      expect(ends).toHaveLength(1)
      expect(new Set(world.notifications.map(({ id }) => id)).size).toBe(1)
    },
  )

  it('waits for an engine that delivers it', async () => {
    const world = new World()
    const blueprint = doing(({ actions }) => {
      actions.goTo('done')
    })
    const engine = world.engine(blueprint, oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask(), HOOK)
    const task = await worker.take()
    await engine.stop()
    // The answer still counts, though this engine delivers nothing more.
    await worker.report(task)
    await world.clock.advance(60_000)
    expect(world.calls(jobId)).toEqual([])
    world.engine(blueprint, oneTask())
    await world.clock.advance(0)
    expect(world.calls(jobId)).toEqual([['job_finished', 'finished']])
  })
})

/** A job that its worker's error has brought into quarantine. */
async function quarantined(
  world: World,
  engine: Engine,
): Promise<{ readonly worker: Hand; readonly jobId: string }> {
  const worker = await Hand.hire(engine)
  const jobId = await create(engine, oneTask())
  const error = { code: 'PERMANENT_ERROR', message: 'no' }
  await worker.report(await worker.take(), { status: 'failure', error })
  await world.clock.advance(0)
  return { worker, jobId }
}

/** A host that notes each end it is told of. */
function endsNoted(): { readonly ended: string[]; readonly hooks: Hooks } {
  const ended: string[] = []
  return { ended, hooks: { onJobFinished: ({ id }) => void ended.push(id) } }
}

describe('a host', () => {
  it('is told of each end once, with the job as it ended', async () => {
    const ended: [id: string, status: string][] = []
    const world = new World({
      hooks: {
        onJobFinished: ({ id, status }) => {
          ended.push([id, status])
        },
      },
    })
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 9 })
    const ids = await Promise.all([1, 2, 3, 4].map(() => create(engine, oneTask())))
    const [finished = '', failed = '', quarantined = '', cancelled = ''] = ids
    const tasks = new Map(
      (await worker.poll(0, { max: 9 })).map(({ task }) => [task.jobId, task] as const),
    )
    expect(ended).toEqual([])
    const said = [
      [finished, { status: 'success' }],
      [failed, { status: 'failure', error: { code: 'INVALID_INPUT_ERROR', message: 'no' } }],
      [quarantined, { status: 'failure', error: { code: 'PERMANENT_ERROR', message: 'no' } }],
    ] as const
    for (const [id, result] of said) {
      const task = tasks.get(id)
      if (task !== undefined) await worker.report(task, result)
    }
    await engine.cancelJob(cancelled)
    await world.clock.advance(60_000)
    expect(ended).toEqual([
      [finished, 'finished'],
      [failed, 'failed'],
      [quarantined, 'quarantined'],
      [cancelled, 'cancelled'],
    ])
  })

  it('is told again of a quarantined job that was let go on and ended', async () => {
    const ended: string[] = []
    const world = new World({
      hooks: {
        onJobFinished: ({ status }) => {
          ended.push(status)
        },
      },
    })
    const engine = world.engine(oneTask())
    const { worker, jobId } = await quarantined(world, engine)
    await engine.desk.retry(jobId, null)
    await world.clock.advance(0)
    await worker.report(await worker.take())
    await world.clock.advance(0)
    expect(ended).toEqual(['quarantined', 'finished'])
  })

  it('is told of workers’ events and of those that a handler sends, once each', async () => {
    const told: WorkerEventNotice[] = []
    const world = new World({
      hooks: {
        onWorkerEvent: (event) => {
          told.push(event)
        },
      },
    })
    const blueprint = doing(({ actions }) => {
      actions.sendEvent({ name: 'begun', data: { n: 1 } })
      actions.dispatchTask({ type: 'resize', transitions: { success: 'done' } })
    })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    const { taskId } = await worker.take()
    const event = { jobId, taskId, workerId: 'w-1', type: 'half_way', payload: { rows: 9 } }
    await engine.events.reportByWorker({ ...event, eventId: 'one' })
    await engine.events.reportByWorker({ ...event, eventId: 'one' })
    await world.clock.advance(60_000)
    expect(told).toEqual([
      { jobId, workerId: null, taskId: null, type: 'begun', payload: { n: 1 } },
      event,
    ])
  })

  it.each(['throws', 'rejects'])(
    'that %s changes nothing: jobs, webhooks, history and its other calls go on',
    async (way) => {
      const heard: string[] = []
      const world = new World({
        hooks: {
          onJobFinished: ({ id }) => {
            heard.push(id)
            const error = new Error('a mistake of the host')
            if (way === 'throws') throw error
            return Promise.reject(error)
          },
        },
      })
      const engine = world.engine(oneTask())
      const worker = await Hand.hire(engine)
      const ids = [await create(engine, oneTask(), HOOK), await create(engine, oneTask(), HOOK)]
      for (const { task } of await worker.poll(0, { max: 9 })) await worker.report(task)
      await world.clock.advance(60_000)
      expect(heard).toEqual(ids)
      for (const id of ids) {
        expect(world.calls(id)).toEqual([['job_finished', 'finished']])
        expect((await world.records(id)).at(-1)).toBe('job_finished')
      }
    },
  )

  it('may act on the job that it is told of', async () => {
    const world: World = new World({
      hooks: {
        onJobFinished: async ({ id, status }) => {
          if (status === 'quarantined') await engine.desk.discard(id)
        },
      },
    })
    const engine = world.engine(oneTask())
    const { jobId } = await quarantined(world, engine)
    expect(await world.job(jobId)).toMatchObject({ status: 'failed' })
  })

  it('is told when the history or the storage is back, if it was away', async () => {
    class ShakyHistory extends MemoryHistory {
      failures = 2

      override async append(records: readonly HistoryRecord[]): Promise<void> {
        this.failures -= 1
        if (this.failures >= 0) throw away()
        await super.append(records)
      }
    }
    const history = new ShakyHistory()
    const { ended, hooks } = endsNoted()
    const world = new World({ history, hooks })
    const engine = world.engine(oneTask())
    const jobId = await create(engine, oneTask())
    await world.clock.advance(1)
    await engine.cancelJob(jobId)
    await world.clock.advance(120_000)
    expect(history.failures).toBeLessThan(0)
    expect(ended).toEqual([jobId])
    const rows = await world.records(jobId)
    expect([rows[0], rows.at(-1)]).toEqual(['job_created', 'job_cancelled'])
  })

  it('is told even when its job could not be read at first', async () => {
    let state: 'whole' | 'broken' | 'mended' = 'whole'
    const inner = openStorage()
    const storage = overlay(inner, {
      findJob: async (jobId) => {
        if (state !== 'broken') return inner.findJob(jobId)
        state = 'mended'
        throw away()
      },
      claimRecords: async (claim) => {
        const records = await inner.claimRecords(claim)
        const isLast = records.some(({ type }) => type === 'job_cancelled')
        if (isLast && state === 'whole') state = 'broken'
        return records
      },
    })
    const { ended, hooks } = endsNoted()
    const world = new World({ storage, hooks })
    const engine = world.engine(oneTask())
    const jobId = await create(engine, oneTask())
    await engine.stop()
    await engine.cancelJob(jobId)
    world.engine(oneTask())
    await world.clock.advance(120_000)
    expect(state).toBe('mended')
    expect(ended).toEqual([jobId])
  })
})
