/** Events: waited for, kept until they are, told by workers, and sent by handlers. */
import type { JsonObject } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import type { JobEvent, SentEvent } from '../src/job/event.ts'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  afterBy,
  cancelRequested,
  change,
  claimedJob,
  decide,
  deeds,
  dispatch,
  eventReceived,
  fanOut,
  goTo,
  messagesOf,
  offeredJob,
  quarantinedJob,
  readyJob,
  records,
  RULES,
  stepSucceeded,
  TASK_1,
  taskClaimed,
  taskResult,
  timerFired,
  waitForEvent,
  waitingJob,
  WAITS,
  workerEvent,
} from './support/jobs.ts'

const EVENT = { id: 'e1', name: 'paid', data: { sum: 3 }, receivedAt: T0 }

describe('waiting for an event', () => {
  it('arms the timeout and says what it waits for', () => {
    const action = waitForEvent({ match: { order: 7 }, timeout: { state: 'late' } })
    const { job, effects } = change(readyJob(), stepSucceeded('j-s1', action, T0 + 2))
    expect(job).toMatchObject({ status: 'waiting_for_event', state: 'start' })
    expect(job.wait).toEqual({
      for: 'event',
      name: 'paid',
      match: { order: 7 },
      deadlineAt: T0 + 5_002,
      received: { state: 'next' },
      timeout: { state: 'late' },
    })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_step', stepId: 'j-s1' },
      { kind: 'set_deadline', key: 'wait', at: T0 + 5_002 },
    ])
  })

  it('goes on with the event that comes', () => {
    const { job, effects } = change(WAITS.event, eventReceived({ at: T0 + 3 }))
    expect(job).toMatchObject({ status: 'running', state: 'next', inbox: [] })
    expect(job.received).toEqual({ kind: 'event', event: { ...EVENT, receivedAt: T0 + 3 } })
    expect(deeds(effects)).toEqual([
      { kind: 'run_step', stepId: 'j-s2' },
      { kind: 'clear_deadline', key: 'wait' },
    ])
    expect(records(effects)).toMatchObject([
      {
        type: 'event_received',
        details: { id: 'e1', name: 'paid', data: { sum: 3 }, isStored: false },
      },
      { type: 'state_finished', previousState: 'start', nextState: 'next' },
    ])
  })

  it('takes one that came before, in the same change, without a wait', () => {
    const early = after(readyJob(), eventReceived())
    expect(early).toMatchObject({ inbox: [EVENT], wait: { for: 'step', stepId: 'j-s1' } })
    const { job, effects } = change(early, stepSucceeded('j-s1', waitForEvent(), T0 + 9))
    expect(job).toMatchObject({ status: 'running', state: 'next', inbox: [] })
    expect(job.received).toEqual({ kind: 'event', event: EVENT })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_step', stepId: 'j-s1' },
      { kind: 'run_step', stepId: 'j-s2' },
    ])
  })

  it('takes stored events oldest first, and each once', () => {
    let job = readyJob()
    for (const n of [1, 2, 3]) {
      job = after(job, eventReceived({ eventId: `e${String(n)}`, data: { n } }))
    }
    const taken: unknown[] = []
    for (const stepId of ['j-s1', 'j-s2', 'j-s3']) {
      job = after(job, stepSucceeded(stepId, waitForEvent()))
      taken.push(job.received?.kind === 'event' ? job.received.event.data : null)
    }
    expect(taken).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    expect(after(job, stepSucceeded('j-s4', waitForEvent())).wait?.for).toBe('event')
  })

  it('leaves stored events of other names and other data where they are', () => {
    const job = after(
      readyJob(),
      eventReceived({ eventId: 'x', name: 'shipped' }),
      eventReceived({ eventId: 'y', data: { order: 8 } }),
      eventReceived({ eventId: 'z', data: { order: 7 } }),
      stepSucceeded('j-s1', waitForEvent({ match: { order: 7 } })),
    )
    expect(job.received).toMatchObject({ event: { id: 'z' } })
    expect(job.inbox.map(({ id }) => id)).toEqual(['x', 'y'])
  })
})

describe('the match of an event', () => {
  const yes = true
  const no = false
  const table: readonly { match: JsonObject | null; data: JsonObject; fits: boolean }[] = [
    { match: null, data: {}, fits: yes },
    { match: {}, data: { a: 1 }, fits: yes },
    { match: { a: 1 }, data: { a: 1, b: 2 }, fits: yes },
    { match: { a: 1 }, data: { a: 2 }, fits: no },
    { match: { a: 1 }, data: { a: '1' }, fits: no },
    { match: { a: 1 }, data: {}, fits: no },
    { match: { a: null }, data: { a: null }, fits: yes },
    { match: { a: null }, data: {}, fits: no },
    { match: { a: false }, data: { a: 0 }, fits: no },
    { match: { a: { b: 'x' } }, data: { a: { b: 'x', c: 1 } }, fits: yes },
    { match: { a: { b: 'x' } }, data: { a: 'x' }, fits: no },
    { match: { a: { b: 'x' } }, data: { a: null }, fits: no },
    { match: { a: {} }, data: { a: [] }, fits: no },
    { match: { a: [1, 2] }, data: { a: [1, 2] }, fits: yes },
    { match: { a: [1, 2] }, data: { a: [2, 1] }, fits: no },
    { match: { a: [1] }, data: { a: [1, 2] }, fits: no },
    { match: { a: [] }, data: { a: {} }, fits: no },
    { match: { a: [{ b: 1 }] }, data: { a: [{ b: 1, c: 2 }] }, fits: yes },
    { match: { constructor: {} }, data: {}, fits: no },
    { match: { toString: null }, data: {}, fits: no },
  ]
  it.each(table)('$match of $data: $fits', ({ match, data, fits }) => {
    const waiting = waitingJob(waitForEvent({ match }))
    const job = after(waiting, eventReceived({ data }))
    expect(job.state).toBe(fits ? 'next' : 'start')
    // What nothing waits for now is kept.
    expect(job.inbox).toHaveLength(fits ? 0 : 1)
    // The same before the wait begins.
    const early = after(readyJob(), eventReceived({ data }))
    const then = after(early, stepSucceeded('j-s1', waitForEvent({ match })))
    expect(then.state).toBe(fits ? 'next' : 'start')
  })

  it('wants the name, too', () => {
    const job = after(WAITS.event, eventReceived({ name: 'unpaid' }))
    expect(job).toMatchObject({ status: 'waiting_for_event', inbox: [{ name: 'unpaid' }] })
  })

  it('leaves the deadline of the wait as it is when it does not fit', () => {
    const { effects } = change(WAITS.event, eventReceived({ name: 'unpaid', at: T0 + 100 }))
    expect(deeds(effects)).toEqual([])
    expect(records(effects)).toMatchObject([
      { type: 'event_received', details: { isStored: true } },
    ])
  })
})

describe('an event', () => {
  const live = [
    'step',
    'retry',
    'offered',
    'claimed',
    'backing_off',
    'branches',
    'approval',
    'child',
    'sleep',
  ] as const
  it.each(live)('that comes in wait %s is kept, and moves nothing', (wait) => {
    const before = WAITS[wait]
    const { job, effects } = change(before, eventReceived())
    const { inbox, seenEventIds, dataBytes, version, ...same } = job
    expect({ inbox, seenEventIds, version }).toEqual({
      inbox: [EVENT],
      seenEventIds: ['e1'],
      version: before.version + 1,
    })
    expect(dataBytes).toBe(before.dataBytes + '{"sum":3}'.length)
    expect(before).toMatchObject(same)
    expect(deeds(effects)).toEqual([])
  })

  it('that is sent twice counts once, kept or taken', () => {
    const kept = after(readyJob(), eventReceived())
    expect(decide(kept, eventReceived())).toEqual({ kind: 'repeated' })
    const taken = after(kept, stepSucceeded('j-s1', waitForEvent()))
    expect(decide(taken, eventReceived())).toEqual({ kind: 'repeated' })
    const waitsAgain = after(taken, stepSucceeded('j-s2', waitForEvent()))
    expect(decide(waitsAgain, eventReceived())).toEqual({ kind: 'repeated' })
  })

  it('that ended its job and is sent again is answered alike', () => {
    const waiting = waitingJob(waitForEvent({ received: { state: 'end', end: 'finished' } }))
    const ended = after(waiting, eventReceived())
    expect(ended.status).toBe('finished')
    expect(decide(ended, eventReceived())).toEqual({ kind: 'repeated' })
  })

  it('that is still stored counts once, however many came since', () => {
    const chatty = after(claimedJob(), eventReceived())
    const many = Array.from({ length: 101 }, (_, n) => workerEvent({ eventId: `we${String(n)}` }))
    const job = after(chatty, ...many)
    expect(job.seenEventIds).not.toContain('e1')
    expect(decide(job, eventReceived())).toEqual({ kind: 'repeated' })
  })

  it('is refused when its job has ended, and says so', () => {
    const ended = after(readyJob(), cancelRequested())
    expect(decide(ended, eventReceived())).toEqual({
      kind: 'refused',
      code: 'JOB_ENDED',
      message: 'The job has ended (cancelled); no event can reach it.',
    })
    expect(decide(quarantinedJob(), eventReceived())).toMatchObject({ code: 'JOB_ENDED' })
  })

  it('is refused when the inbox is full, and one that is waited for is not', () => {
    const rules = { ...RULES, maxStoredEvents: 2 }
    const full = afterBy(
      rules,
      readyJob(),
      eventReceived({ eventId: 'a', name: 'other' }),
      eventReceived({ eventId: 'b', name: 'other' }),
    )
    const third = eventReceived({ eventId: 'c', name: 'other' })
    expect(decide(full, third, rules)).toEqual({
      kind: 'refused',
      code: 'EVENTS_FULL',
      message:
        'The job keeps 2 events that it has not waited for yet, and no more; send this one again later.',
    })
    const waiting = afterBy(rules, full, stepSucceeded('j-s1', waitForEvent()))
    expect(decide(waiting, third, rules)).toMatchObject({ code: 'EVENTS_FULL' })
    expect(change(waiting, eventReceived(), rules).job.state).toBe('next')
    // There is room again for the one that was refused.
    const taken = afterBy(
      rules,
      waiting,
      eventReceived(),
      stepSucceeded('j-s2', waitForEvent({ name: 'other' })),
    )
    expect(change(taken, third, rules).job.inbox.map(({ id }) => id)).toEqual(['b', 'c'])
  })

  it('is refused when its data would not fit', () => {
    const rules = { ...RULES, maxJobDataBytes: 50 }
    const event = eventReceived({ data: { text: 'x'.repeat(60) } })
    for (const job of [WAITS.event, WAITS.step]) {
      expect(decide(job, event, rules)).toMatchObject({ kind: 'refused', code: 'DATA_TOO_LARGE' })
    }
  })

  it('is remembered for the last hundred, so that the document stays bounded', () => {
    let job = readyJob()
    const rules = { ...RULES, maxStoredEvents: 1_000 }
    for (let n = 0; n < 120; n += 1) {
      job = afterBy(rules, job, eventReceived({ eventId: `n${String(n)}` }))
    }
    expect(job.seenEventIds).toHaveLength(100)
    expect(job.seenEventIds.at(-1)).toBe('n119')
  })
})

describe('an event of a worker', () => {
  const stopped = dispatch({}, undefined, { eventTransitions: { half_way: { state: 'preview' } } })
  const claimed = (): ReturnType<typeof claimedJob> =>
    after(waitingJob(stopped), taskClaimed(TASK_1))

  it('without a transition is kept in the history and moves nothing', () => {
    const { job, effects } = change(claimedJob(), workerEvent())
    expect(job).toMatchObject({
      status: 'waiting_for_worker',
      state: 'start',
      stateHistory: {},
      inbox: [],
      wait: { taskId: TASK_1, phase: { kind: 'claimed' } },
    })
    expect(deeds(effects)).toEqual([])
    expect(records(effects)).toMatchObject([
      {
        type: 'worker_event',
        workerId: 'w',
        taskId: TASK_1,
        details: { id: 'we1', type: 'half_way', payload: { rows: 9 } },
      },
    ])
  })

  it('with a transition moves the job and takes the task back (D-35)', () => {
    const { job, effects } = change(claimed(), workerEvent())
    expect(job).toMatchObject({
      status: 'running',
      state: 'preview',
      stateHistory: { rows: 9 },
      lastData: { rows: 9 },
    })
    expect(deeds(effects)).toEqual([
      { kind: 'run_step', stepId: 'j-s3' },
      { kind: 'withdraw_task', taskId: TASK_1 },
      { kind: 'clear_deadline', key: 'wait' },
    ])
    expect(records(effects).map(({ type }) => type)).toEqual(['worker_event', 'state_finished'])
    // The result that its worker may still send changes nothing.
    expect(decide(job, taskResult(TASK_1))).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })

  it.each(['other', 'constructor', '__proto__'])('of the type %s has no transition', (type) => {
    expect(after(claimed(), workerEvent({ type })).state).toBe('start')
  })

  it('calls the webhook, whether it moves the job or not', () => {
    const job = after(
      readyJob({ webhookUrl: 'https://client.test/hook' }),
      stepSucceeded('j-s1', stopped),
      taskClaimed(TASK_1),
    )
    for (const type of ['half_way', 'other']) {
      const { effects } = change(job, workerEvent({ type, at: T0 + 6 }))
      expect(messagesOf(effects)).toEqual([
        {
          kind: 'notify',
          messageId: 'j:4:1',
          from: 'j',
          ownerId: 'client-1',
          url: 'https://client.test/hook',
          event: `worker_event:${type}`,
          status: 'waiting_for_worker',
          result: null,
          error: null,
          at: T0 + 6,
        },
      ])
    }
  })

  it('that is sent twice counts once, also after it moved the job', () => {
    const once = after(claimedJob(), workerEvent())
    expect(decide(once, workerEvent())).toEqual({ kind: 'repeated' })
    expect(decide(after(claimed(), workerEvent()), workerEvent())).toEqual({ kind: 'repeated' })
  })

  it('of a worker that does not hold the task changes nothing (J4)', () => {
    const mismatch = { kind: 'ignored', reason: 'worker_mismatch' }
    expect(decide(claimed(), workerEvent({ workerId: 'other' }))).toEqual(mismatch)
    expect(decide(claimed(), workerEvent({ workerId: 'other', taskId: null }))).toEqual(mismatch)
  })

  it('may leave out the task id, as older workers do', () => {
    expect(change(claimed(), workerEvent({ taskId: null })).job.state).toBe('preview')
  })

  it('about a task that it does not have changes nothing (D-14)', () => {
    const stale = { kind: 'ignored', reason: 'stale_task' }
    expect(decide(offeredJob(), workerEvent())).toEqual(stale)
    expect(decide(claimed(), workerEvent({ taskId: 'task-j-9-1' }))).toEqual(stale)
    expect(decide(after(claimed(), cancelRequested()), workerEvent())).toEqual(stale)
  })

  it('about a branch is kept with that branch’s task and moves nothing', () => {
    const job = after(
      waitingJob(fanOut({ a: {}, b: {} })),
      taskClaimed(TASK_1, 'w1'),
      taskClaimed('task-j-3-1', 'w2'),
    )
    const { job: next, effects } = change(job, workerEvent({ taskId: null, workerId: 'w2' }))
    expect(next.wait).toEqual(job.wait)
    expect(records(effects)).toMatchObject([{ type: 'worker_event', taskId: 'task-j-3-1' }])
  })
})

describe('an event that a handler sends', () => {
  const send = (sent: readonly SentEvent[], fields = {}): JobEvent =>
    stepSucceeded('j-s1', goTo('next'), T0, { sent, ...fields })
  const toOther = { name: 'ready', data: { n: 1 }, to: 'job-2' }
  const own = { name: 'ready', data: { n: 1 }, to: null }

  it('to another job goes there in its owner’s name, and does not count as the action', () => {
    const { job, effects } = change(readyJob(), send([toOther]))
    expect(job.state).toBe('next')
    expect(messagesOf(effects)).toEqual([
      {
        kind: 'deliver_event',
        messageId: 'j:2:1',
        from: 'j',
        to: 'job-2',
        ownerId: 'client-1',
        name: 'ready',
        data: { n: 1 },
      },
    ])
    expect(records(effects)).toMatchObject([
      { type: 'event_sent', details: toOther },
      { type: 'state_finished' },
    ])
  })

  it('of its own calls the webhook', () => {
    const { effects } = change(readyJob({ webhookUrl: 'https://client.test/hook' }), send([own]))
    expect(messagesOf(effects)).toMatchObject([
      { kind: 'notify', url: 'https://client.test/hook', event: 'worker_event:ready' },
    ])
    expect(records(effects, 'event_sent')).toMatchObject([{ details: own }])
  })

  it('of its own without a webhook is history only', () => {
    const { effects } = change(readyJob(), send([own]))
    expect(messagesOf(effects)).toEqual([])
    expect(records(effects, 'event_sent')).toHaveLength(1)
  })

  it('may be one of several, in order, each with an id of its own', () => {
    const { effects } = change(readyJob(), send([toOther, { ...toOther, name: 'b' }, toOther]))
    const messages = messagesOf(effects)
    expect(messages).toMatchObject([{ name: 'ready' }, { name: 'b' }, { name: 'ready' }])
    expect(new Set(messages.map(({ messageId }) => messageId)).size).toBe(3)
  })

  it('is not sent by a handler that threw, nor by one that came too late (D-21)', () => {
    expect(decide(after(readyJob(), cancelRequested()), send([toOther])).kind).toBe('ignored')
  })
})

describe('updateContext', () => {
  it('lays data over the job’s, whatever the action', () => {
    const updates = { n: 2, extra: [true] }
    const first = readyJob({ initialData: { n: 1, kept: 'yes' } })
    for (const action of [goTo('next'), dispatch(), waitForEvent(), fanOut({ a: {} })]) {
      const job = after(first, stepSucceeded('j-s1', action, T0, { updates }))
      expect(job).toMatchObject({
        initialData: { n: 2, kept: 'yes', extra: [true] },
        stateHistory: updates,
      })
    }
  })

  it('is seen by the state that runs next, in the same change', () => {
    const { job } = change(
      readyJob(),
      stepSucceeded('j-s1', goTo('next'), T0, { updates: { mood: 'good' } }),
    )
    expect(job).toMatchObject({ state: 'next', initialData: { n: 1, mood: 'good' } })
  })

  it('fails the job when the data would not fit', () => {
    const rules = { ...RULES, maxJobDataBytes: 50 }
    const event = stepSucceeded('j-s1', goTo('next'), T0, { updates: { text: 'x'.repeat(60) } })
    const { job } = change(readyJob(), event, rules)
    expect(job).toMatchObject({
      status: 'failed',
      state: 'start',
      stateHistory: {},
      error: { code: 'DATA_TOO_LARGE' },
    })
  })
})

describe('an event that does not come', () => {
  it('goes where the blueprint says', () => {
    const waiting = waitingJob(waitForEvent({ timeout: { state: 'late' } }))
    const { job, effects } = change(waiting, timerFired(T0 + 5_000))
    expect(job).toMatchObject({ status: 'running', state: 'late', received: null })
    expect(records(effects)).toMatchObject([
      { type: 'event_wait_expired', details: { name: 'paid' } },
      { type: 'state_finished' },
    ])
  })

  it('fails the job when the blueprint says nothing', () => {
    const { job } = change(WAITS.event, timerFired(T0 + 5_000))
    const message = "The event 'paid' did not come in time."
    expect(job).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT_ERROR', message } })
  })

  it('and comes later is kept for the next wait', () => {
    const waiting = waitingJob(waitForEvent({ timeout: { state: 'late' } }))
    const late = after(waiting, timerFired(T0 + 5_000), eventReceived({ at: T0 + 5_001 }))
    expect(late.inbox).toHaveLength(1)
    expect(after(late, stepSucceeded('j-s2', waitForEvent())).state).toBe('next')
  })

  it('without a timeout is waited for as long as it takes', () => {
    const job = waitingJob(waitForEvent({ timeoutMs: null }))
    expect(decide(job, timerFired(T0 + 1e12)).kind).toBe('ignored')
  })
})
