import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { EventWaitOptions } from '../src/blueprint/actions.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { EventFate, IncomingEvent } from '../src/engine/jobs/event-intake.ts'
import type { Decision } from '../src/job/decision.ts'
import type { OfferedTask } from '../src/job/effect.ts'
import { create, Hand, OWNER, SETTINGS, World } from './support/engine-world.ts'

/** Waits for `paid` and ends with the event. */
function waiting(options: Partial<EventWaitOptions> = {}, settings: object = {}): Blueprint {
  return new Blueprint('waiting', settings)
    .state('start', { start: true, to: ['done', 'late'] }, ({ actions }) => {
      actions.waitForEvent({ name: 'paid', transitions: { received: 'done' }, ...options })
    })
    .state('done', { end: true }, ({ event }) => ({ ...event }))
    .state('late', { end: 'failed' }, ({ event }) => ({ event: event ?? null }))
}

/** Works first, and waits for `paid` only then. */
function workFirst(): Blueprint {
  return new Blueprint('work_first')
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchTask({ type: 'resize', transitions: { success: 'pay' } })
    })
    .state('pay', ({ actions }) => {
      actions.waitForEvent({ name: 'paid', match: { no: 2 }, transitions: { received: 'again' } })
    })
    .state('again', ({ actions, event }) => {
      actions.updateContext({ first: event?.data })
      actions.waitForEvent({ name: 'paid', transitions: { received: 'done' } })
    })
    .state('done', { end: true }, ({ event, first }) => ({ first, second: event?.data }))
}

let sent = 0

function send(
  engine: Engine,
  jobId: string,
  fields: Partial<IncomingEvent> = {},
): Promise<EventFate> {
  sent += 1
  return engine.events.receive({
    jobId,
    eventId: `e${String(sent)}`,
    name: 'paid',
    data: {},
    ...fields,
  })
}

describe('an event that a job waits for', () => {
  it('moves it on and is given to the next handler', async () => {
    const world = new World()
    const engine = world.engine(waiting())
    const jobId = await create(engine, waiting())
    expect(await world.job(jobId)).toMatchObject({
      status: 'waiting_for_event',
      wait: { name: 'paid' },
    })
    await world.clock.advance(5_000)
    const receivedAt = world.clock.now()
    expect(await send(engine, jobId, { eventId: 'x', data: { sum: 3 } })).toBe('received')
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      result: { id: 'x', name: 'paid', data: { sum: 3 }, receivedAt },
    })
  })

  it('is only the one whose data match, however deep; the others are kept', async () => {
    const world = new World()
    const blueprint = waiting({ match: { order: { no: 7 }, paid: true } })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    const others = [{}, { order: { no: 8 }, paid: true }, { order: { no: 7 }, paid: 'true' }]
    for (const data of others) expect(await send(engine, jobId, { data })).toBe('stored')
    expect(await send(engine, jobId, { name: 'refunded' })).toBe('stored')
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_event' })
    const data = { order: { no: 7, by: 'ann' }, paid: true, more: 1 }
    expect(await send(engine, jobId, { data })).toBe('received')
    expect((await world.job(jobId)).inbox).toHaveLength(4)
  })

  it('counts once, however often it is sent, and at the same time', async () => {
    const world = new World()
    const engine = world.engine(workFirst())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, workFirst())
    const event = { eventId: 'x', data: { no: 2 } }
    const fates = await Promise.all([1, 2, 3].map(() => send(engine, jobId, event)))
    expect(fates).toEqual(['stored', 'repeated', 'repeated'])
    await worker.report(await worker.take())
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_event', state: 'again' })
    // Used up by now, and still known.
    expect(await send(engine, jobId, event)).toBe('repeated')
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_event', inbox: [] })
  })

  it('that came before the wait is not lost: the first that matches is taken, then the rest', async () => {
    const world = new World()
    const engine = world.engine(workFirst())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, workFirst())
    for (const no of [1, 2]) expect(await send(engine, jobId, { data: { no } })).toBe('stored')
    await engine.stop()

    const next = world.engine(workFirst())
    const hand = new Hand(next, worker.workerId)
    await hand.report(await hand.take())
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      result: { first: { no: 2 }, second: { no: 1 } },
    })
  })

  it('does not come in time: the job goes where it said, or fails', async () => {
    const world = new World()
    const [leading, failing] = [
      waiting({ timeout: 60, transitions: { received: 'done', timeout: 'late' } }),
      waiting({ timeout: 60 }, { version: 'v2' }),
    ]
    const engine = world.engine(leading, failing)
    const [one, two] = [await create(engine, leading), await create(engine, failing)]
    await world.clock.advance(59_999)
    expect(await world.job(one)).toMatchObject({ status: 'waiting_for_event' })
    await world.clock.advance(1)
    expect(await world.job(one)).toMatchObject({ state: 'late', result: { event: null } })
    expect(await world.job(two)).toMatchObject({
      status: 'failed',
      error: { code: 'TIMEOUT_ERROR', message: "The event 'paid' did not come in time." },
    })
    expect(await world.records(one)).toContain('event_wait_expired')
    await expect(send(engine, one)).rejects.toMatchObject({ code: 'JOB_ENDED' })
  })
})

describe('an event that a job cannot take', () => {
  it('is refused for a job that is not there, or is another’s', async () => {
    const world = new World()
    const engine = world.engine(waiting())
    const jobId = await create(engine, waiting())
    const missing = { code: 'JOB_NOT_FOUND' }
    await expect(send(engine, 'none')).rejects.toMatchObject(missing)
    await expect(send(engine, jobId, { ownerId: 'client-2' })).rejects.toMatchObject(missing)
    expect(await send(engine, jobId, { ownerId: OWNER.clientId })).toBe('received')
  })

  it('is refused when the job has ended, and says how', async () => {
    const world = new World()
    const engine = world.engine(waiting())
    const jobId = await create(engine, waiting())
    await engine.cancelJob(jobId)
    await expect(send(engine, jobId)).rejects.toMatchObject({
      code: 'JOB_ENDED',
      message: expect.stringContaining('cancelled'),
    })
  })

  it('is refused when as many wait as may, but for the one that is waited for', async () => {
    const rules = { ...SETTINGS.rules, maxStoredEvents: 2 }
    const world = new World({ settings: { rules } })
    const engine = world.engine(waiting())
    const jobId = await create(engine, waiting())
    for (let i = 0; i < 2; i += 1) await send(engine, jobId, { name: 'other' })
    await expect(send(engine, jobId, { name: 'other' })).rejects.toMatchObject({
      code: 'EVENTS_FULL',
      retry: true,
    })
    expect(await send(engine, jobId)).toBe('received')
  })

  it('is refused when its data are too large, for one event or for the job', async () => {
    const rules = { ...SETTINGS.rules, maxJobDataBytes: 150 }
    const world = new World({ settings: { maxDataBytes: 100, rules } })
    const engine = world.engine(waiting())
    const jobId = await create(engine, waiting())
    const large = { code: 'DATA_TOO_LARGE', message: expect.stringContaining('files') }
    const data = (length: number): object => ({ data: { text: 'x'.repeat(length) } })
    await expect(send(engine, jobId, data(100))).rejects.toMatchObject(large)
    await send(engine, jobId, { name: 'other', ...data(70) })
    await expect(send(engine, jobId, data(70))).rejects.toMatchObject(large)
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_event' })
  })

  it('is refused when its data do not fit the schema, and made to fit when they do', async () => {
    const world = new World()
    const schema = z.object({ sum: z.number(), currency: z.string().default('EUR') })
    const blueprint = waiting({}, { events: { paid: schema } })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await expect(send(engine, jobId, { data: { sum: 'three' } })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^The data of event 'paid' do not fit: data\.sum: /),
    })
    expect(await send(engine, jobId, { name: 'free', data: { sum: 'three' } })).toBe('stored')
    expect(await send(engine, jobId, { data: { sum: 3 } })).toBe('received')
    await world.clock.advance(0)
    expect((await world.job(jobId)).result).toMatchObject({ data: { sum: 3, currency: 'EUR' } })
  })
})

describe('an event from job to job', () => {
  const sender = new Blueprint('sender')
    .state('start', { start: true }, ({ actions, to }) => {
      actions.sendEvent({ name: 'paid', data: { sum: 3 }, jobId: String(to) })
      actions.goTo('done')
    })
    .state('done', { end: true })

  it('reaches a job of the same owner, with an id of its own, once', async () => {
    const world = new World()
    const engine = world.engine(waiting(), sender)
    const to = await create(engine, waiting())
    const from = await create(engine, sender, { initialData: { to } })
    expect(await world.job(to)).toMatchObject({ status: 'finished', result: { data: { sum: 3 } } })
    expect(await world.job(from)).toMatchObject({ status: 'finished' })
    const rows = await world.history.ofJob(from)
    expect(rows.filter(({ type }) => type === 'event_sent')).toMatchObject([
      { details: { name: 'paid', data: { sum: 3 }, to } },
    ])
    expect((await world.records(to)).filter((type) => type === 'event_received')).toHaveLength(1)
  })

  it.each(['another owner’s', 'a job that has ended', 'no job at all'])(
    'is given up when it is for %s; its sender goes on all the same',
    async (what) => {
      const world = new World()
      const engine = world.engine(waiting(), sender)
      const owner = what.startsWith('another') ? { ...OWNER, clientId: 'client-2' } : OWNER
      const other = await create(engine, waiting(), { owner })
      if (what.includes('ended')) await engine.cancelJob(other)
      const to = what.startsWith('no job') ? 'none' : other
      const before = await world.job(other)
      const from = await create(engine, sender, { initialData: { to } })
      await world.clock.advance(60_000)
      expect(await world.job(from)).toMatchObject({ status: 'finished' })
      expect(await world.job(other)).toEqual(before)
      // Nothing is left to be delivered.
      expect(await world.storage.claimMessages({ now: 9e15, leaseMs: 1, limit: 9 })).toEqual([])
    },
  )

  it('is sent again as long as the other has no room for it', async () => {
    const rules = { ...SETTINGS.rules, maxStoredEvents: 1 }
    const world = new World({ settings: { rules } })
    const engine = world.engine(workFirst(), sender)
    const worker = await Hand.hire(engine)
    const to = await create(engine, workFirst())
    await send(engine, to, { data: { no: 2 } })
    await create(engine, sender, { initialData: { to } })
    expect((await world.job(to)).inbox).toHaveLength(1)
    await worker.report(await worker.take())
    expect(await world.job(to)).toMatchObject({ status: 'waiting_for_event', state: 'again' })
    await world.clock.advance(11_000)
    expect(await world.job(to)).toMatchObject({
      status: 'finished',
      result: { first: { no: 2 }, second: { sum: 3 } },
    })
  })

  it('is not sent by a handler that threw, and is sent once when it is tried again', async () => {
    const world = new World()
    const clumsy = new Blueprint('clumsy').state(
      'start',
      { start: true, end: true },
      ({ actions, attempt, to }) => {
        actions.sendEvent({ name: 'other', jobId: String(to) })
        if (attempt === 1) throw new Error('after all')
      },
    )
    const engine = world.engine(waiting(), clumsy)
    const to = await create(engine, waiting())
    await create(engine, clumsy, { initialData: { to } })
    expect((await world.job(to)).inbox).toHaveLength(0)
    await world.clock.advance(1_000)
    expect((await world.job(to)).inbox).toHaveLength(1)
  })
})

describe('a worker’s event', () => {
  let told = 0

  function tell(
    engine: Engine,
    task: OfferedTask,
    fields: Partial<Parameters<Engine['events']['reportByWorker']>[0]> = {},
  ): Promise<Decision> {
    told += 1
    const { jobId, taskId } = task
    return engine.events.reportByWorker({
      jobId,
      taskId,
      workerId: 'w-1',
      eventId: `we${String(told)}`,
      type: 'half_way',
      payload: { rows: 9 },
      ...fields,
    })
  }

  const watched = (): Blueprint =>
    new Blueprint('watched', { events: { counted: z.object({ rows: z.number() }) } })
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({
          type: 'resize',
          transitions: { success: 'done' },
          eventTransitions: { too_large: 'aside' },
        })
      })
      .state('aside', { end: true }, ({ rows }) => ({ rows }))
      .state('done', { end: true })

  it('is kept in the history and leaves the task where it is', async () => {
    const world = new World()
    const engine = world.engine(watched())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, watched())
    const task = await worker.take()
    expect(await tell(engine, task)).toMatchObject({ kind: 'changed' })
    await world.clock.advance(0)
    const rows = await world.history.ofJob(jobId)
    expect(rows.at(-1)).toMatchObject({
      type: 'worker_event',
      workerId: 'w-1',
      taskId: task.taskId,
      details: { type: 'half_way', payload: { rows: 9 } },
    })
    await worker.report(task)
    expect(await world.job(jobId)).toMatchObject({ state: 'done' })
  })

  // D-35: the transition did not cancel the running task, whose result then came on top.
  it('that has a transition moves the job and takes the task back: its worker is told (D-35)', async () => {
    const world = new World()
    const engine = world.engine(watched())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, watched())
    const task = await worker.take()
    expect(await worker.beat({ current_tasks: [task.taskId] })).toEqual([])
    await tell(engine, task, { type: 'too_large' })
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({ state: 'aside', result: { rows: 9 } })
    expect(await worker.beat({ current_tasks: [task.taskId] })).toEqual([task.taskId])
    expect(await worker.report(task, { data: { rows: 10 } })).toMatchObject({ kind: 'ignored' })
    expect(await world.job(jobId)).toMatchObject({ state: 'aside', stateHistory: { rows: 9 } })
    expect(await world.storage.nextDueAt()).toBeUndefined()
  })

  it('counts once, however often it is sent', async () => {
    const world = new World()
    const engine = world.engine(watched())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, watched(), { webhookUrl: 'https://host/hook' })
    const task = await worker.take()
    const event = { eventId: 'same' }
    expect(await tell(engine, task, event)).toMatchObject({ kind: 'changed' })
    expect(await tell(engine, task, event)).toEqual({ kind: 'repeated' })
    await world.clock.advance(0)
    expect(world.calls(jobId)).toEqual([['worker_event:half_way', 'waiting_for_worker']])
  })

  // D-35: an event about a job that was not there made one.
  it('about no job, no task of its worker, or a task that is over is ignored (D-35)', async () => {
    const world = new World()
    const engine = world.engine(watched())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, watched())
    const task = await worker.take()
    const before = await world.job(jobId)
    const ignored = (reason: string): object => ({ kind: 'ignored', reason })
    expect(await tell(engine, task, { jobId: 'none' })).toEqual(ignored('job_not_found'))
    expect(await tell(engine, task, { workerId: 'thief' })).toEqual(ignored('worker_mismatch'))
    expect(await tell(engine, task, { taskId: 'made-up' })).toEqual(ignored('stale_task'))
    expect(await world.job(jobId)).toEqual(before)
    expect(await world.storage.findJob('none')).toBeUndefined()
    await worker.report(task)
    expect(await tell(engine, task)).toEqual(ignored('stale_task'))
  })

  it('finds its task without being told the id', async () => {
    const world = new World()
    const engine = world.engine(watched())
    const worker = await Hand.hire(engine)
    await create(engine, watched())
    const task = await worker.take()
    expect(await tell(engine, task, { taskId: null })).toMatchObject({ kind: 'changed' })
    expect(await tell(engine, task, { taskId: null, workerId: 'thief' })).toEqual({
      kind: 'ignored',
      reason: 'worker_mismatch',
    })
  })

  it('is refused when it is too large, or does not fit its schema', async () => {
    const world = new World({ settings: { maxDataBytes: 100 } })
    const engine = world.engine(watched())
    const worker = await Hand.hire(engine)
    await create(engine, watched())
    const task = await worker.take()
    const tellWith = (payload: object): Promise<unknown> =>
      tell(engine, task, { type: 'counted', payload: payload as { rows: number } })
    await expect(tellWith({ text: 'x'.repeat(100) })).rejects.toMatchObject({
      code: 'DATA_TOO_LARGE',
    })
    await expect(tellWith({ rows: 'nine' })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(await tellWith({ rows: 9 })).toMatchObject({ kind: 'changed' })
  })
})
