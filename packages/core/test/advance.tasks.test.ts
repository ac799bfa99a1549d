/** What workers do with a task, and what follows for its job. */
import { describe, expect, it } from 'vitest'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  CANCEL_REASON,
  cancelRequested,
  change,
  CHILD_1,
  claimedJob,
  decide,
  deeds,
  lastAttempt,
  LIVE_WAITS,
  offeredJob,
  offersOf,
  records,
  TASK_1,
  TASK_2,
  taskClaimed,
  taskLost,
  taskProgress,
  taskResult,
  TIMER_CLEARED,
  timerFired,
  TRANSITIONS,
  WAITS,
} from './support/jobs.ts'

describe('a claimed task', () => {
  it('replaces the dispatch deadline by that of its execution (D-2, D-27)', () => {
    const { job, effects } = change(offeredJob(), taskClaimed(TASK_1, 'w', T0 + 5))
    const deadlineAt = T0 + 60_005
    expect(job.lastWorkerId).toBe('w')
    expect(job.wait).toMatchObject({
      phase: { kind: 'claimed', workerId: 'w', claimedAt: T0 + 5, deadlineAt },
    })
    expect(deeds(effects)).toEqual([{ kind: 'set_deadline', key: 'wait', at: deadlineAt }])
    expect(records(effects)).toMatchObject([{ type: 'task_claimed', workerId: 'w', attempt: 1 }])
  })

  it('must give its result before the result deadline', () => {
    const job = claimedJob({ resultTimeoutMs: 20_000 })
    expect(job.wait).toMatchObject({ phase: { deadlineAt: T0 + 20_000 } })
  })

  it('belongs to the worker that was first', () => {
    const decision = decide(claimedJob(), taskClaimed(TASK_1, 'other'))
    expect(decision).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })
})

describe('progress', () => {
  it('is kept with the job, and is no history', () => {
    const { job, effects } = change(claimedJob(), taskProgress(TASK_1))
    expect(job).toMatchObject({ progress: 0.5, progressMessage: 'half' })
    expect(effects).toEqual([])
  })

  it('may leave out the task id, as older workers do', () => {
    expect(decide(claimedJob(), taskProgress(null)).kind).toBe('changed')
  })

  it('of another worker or another task changes nothing (J4)', () => {
    const mismatch = { kind: 'ignored', reason: 'worker_mismatch' }
    expect(decide(claimedJob(), taskProgress(TASK_1, 'other'))).toEqual(mismatch)
    const stale = { kind: 'ignored', reason: 'stale_task' }
    expect(decide(claimedJob(), taskProgress(TASK_2))).toEqual(stale)
  })
})

describe('a cancelled or returned task', () => {
  it('cancels its job when no transition is declared for it', () => {
    const { job, effects, answer } = change(claimedJob(), taskResult(TASK_1, { kind: 'cancelled' }))
    expect(job.status).toBe('cancelled')
    expect(answer?.transition).toBe('cancelled_handled')
    expect(records(effects, 'job_cancelled')).toHaveLength(1)
  })

  it('follows its own transition when one is declared', () => {
    const transitions = { ...TRANSITIONS, cancelled: { state: 'undo' } }
    const job = after(claimedJob({}, transitions), taskResult(TASK_1, { kind: 'cancelled' }))
    expect(job).toMatchObject({ status: 'running', state: 'undo' })
  })

  it('that is handed back is offered again at once and costs no retry (W8)', () => {
    const { job, effects } = change(claimedJob(), taskResult(TASK_1, { kind: 'handed_back' }))
    expect(job).toMatchObject({
      retryCount: 0,
      wait: { taskId: TASK_2, retries: 0, phase: { kind: 'offered' } },
    })
    expect(offersOf(effects)).toHaveLength(1)
  })
})

describe('a lost task', () => {
  it('is offered again at once as a new attempt and costs a retry (D-26)', () => {
    const { job, effects } = change(claimedJob(), taskLost(TASK_1, T0 + 3))
    expect(job).toMatchObject({
      retryCount: 0,
      status: 'waiting_for_worker',
      wait: { retries: 1, taskId: TASK_2, attempt: 2 },
    })
    expect(deeds(effects)).toMatchObject([
      { kind: 'withdraw_task', taskId: TASK_1 },
      { kind: 'offer_task', task: { taskId: TASK_2, attempt: 2 } },
      { kind: 'set_deadline', key: 'wait', at: T0 + 10_003 },
    ])
    expect(records(effects)).toMatchObject([
      { type: 'task_lost', workerId: 'w' },
      { type: 'task_dispatched' },
    ])
  })

  it('quarantines its job when it has lost too many workers', () => {
    const job = after(lastAttempt(), taskLost('task-j-2-4'))
    expect(job).toMatchObject({ status: 'quarantined', error: { code: 'WORKER_LOST' } })
    expect(job.error?.message).toContain('The worker w was lost while it held the task.')
  })

  it('whose claim its job never heard of is offered again and costs nothing (D-12, D-25)', () => {
    const { job, effects } = change(offeredJob({ dispatchTimeoutMs: null }), taskLost(TASK_1))
    expect(job).toMatchObject({
      retryCount: 0,
      wait: { taskId: TASK_2, retries: 0, phase: { kind: 'offered' } },
    })
    expect(deeds(effects)).toMatchObject([
      { kind: 'withdraw_task', taskId: TASK_1 },
      { kind: 'offer_task' },
    ])
    expect(decide(job, taskClaimed(TASK_1)).kind).toBe('ignored')
  })
})

describe('a deadline', () => {
  it('without a worker in time fails the job', () => {
    const job = after(offeredJob(), timerFired(T0 + 10_000))
    const message = 'Task resize timed out: no worker took it in time (dispatch timeout).'
    expect(job).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT_ERROR', message } })
  })

  it('without a result from the worker in time retries the task (D-2)', () => {
    const { job, effects } = change(claimedJob(), timerFired(T0 + 60_000))
    const message = 'Worker w gave no result within 60 s.'
    expect(job).toMatchObject({
      retryCount: 0,
      error: { code: 'TIMEOUT_ERROR', message },
      wait: { retries: 1, phase: { kind: 'backing_off', until: T0 + 61_000 } },
    })
    expect(deeds(effects)).toContainEqual({ kind: 'withdraw_task', taskId: TASK_1 })
  })

  const inPhases = [
    { job: offeredJob({ resultTimeoutMs: 500 }) },
    { job: claimedJob({ resultTimeoutMs: 500 }) },
  ]
  it.each(inPhases)('for the result fails the job in phase $job.wait.phase.kind', ({ job }) => {
    const ended = after(job, timerFired(T0 + 500))
    const message = 'Task resize timed out: no result before the result deadline.'
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT_ERROR', message } })
  })

  it('of an earlier attempt does not end the next one (D-27)', () => {
    const job = after(claimedJob(), taskLost(TASK_1, T0 + 9_000))
    const decision = decide(job, timerFired(T0 + 10_000))
    expect(decision).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })
})

describe('a cancellation', () => {
  const expected = {
    step: [{ kind: 'withdraw_step', stepId: 'j-s1' }],
    retry: [TIMER_CLEARED],
    offered: [{ kind: 'withdraw_task', taskId: TASK_1 }, TIMER_CLEARED],
    claimed: [{ kind: 'withdraw_task', taskId: TASK_1 }, TIMER_CLEARED],
    backing_off: [TIMER_CLEARED],
    // Each branch, whether it is with a worker or still on offer.
    branches: [
      { kind: 'withdraw_task', taskId: TASK_1 },
      { kind: 'withdraw_task', taskId: 'task-j-3-1' },
      TIMER_CLEARED,
    ],
    approval: [TIMER_CLEARED],
    child: [
      {
        kind: 'send',
        message: {
          kind: 'cancel_job',
          messageId: 'j:3:1',
          from: 'j',
          to: CHILD_1,
          reason: 'Its parent job j ended as cancelled.',
        },
      },
    ],
    event: [TIMER_CLEARED],
    sleep: [TIMER_CLEARED],
  }
  it.each(LIVE_WAITS)('in wait %s ends the job and takes back what was out (D-16, J5)', (wait) => {
    const { job, effects } = change(WAITS[wait], cancelRequested(T0 + 1))
    expect(job).toMatchObject({
      status: 'cancelled',
      wait: null,
      finishedAt: T0 + 1,
      error: { code: 'JOB_CANCELLED', message: CANCEL_REASON },
    })
    expect(deeds(effects)).toEqual(expected[wait])
    expect(records(effects).map(({ type }) => type)).toEqual(['job_cancelled'])
  })
})
