/** What workers report about a task, and what follows for its job. */
import { describe, expect, it } from 'vitest'
import { TASK_ERROR_CODES } from '@avtomatika/protocol'
import type { Decision } from '../src/job/decision.ts'
import type { TaskOutcome } from '../src/job/event.ts'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  backingOffJob,
  cancelRequested,
  change,
  claimedJob,
  decide,
  deeds,
  dispatch,
  failedWith,
  lastAttempt,
  offeredJob,
  offersOf,
  readyJob,
  records,
  stepSucceeded,
  TASK_1,
  TASK_2,
  taskClaimed,
  taskLost,
  taskProgress,
  taskResult,
  timerFired,
  TRANSITIONS,
} from './support/jobs.ts'

describe('a result', () => {
  it('moves the job along the transition of its status and merges its data', () => {
    const job = after(claimedJob(), taskProgress(TASK_1))
    const {
      job: moved,
      effects,
      answer,
    } = change(job, taskResult(TASK_1, undefined, { at: T0 + 9 }))
    expect(moved).toMatchObject({
      status: 'running',
      state: 'next',
      stateHistory: { out: 1 },
      lastData: { out: 1 },
      progress: null,
      progressMessage: null,
      wait: { for: 'step', stepId: 'j-s3' },
    })
    expect(answer).toEqual({ taskId: TASK_1, transition: 'success_transition' })
    expect(deeds(effects)).toEqual([
      { kind: 'run_step', stepId: 'j-s3' },
      { kind: 'withdraw_task', taskId: TASK_1 },
      { kind: 'clear_deadline', key: 'wait' },
    ])
    expect(records(effects)).toMatchObject([
      { type: 'task_finished', workerId: 'w', taskId: TASK_1, durationMs: 9 },
      { type: 'state_finished', previousState: 'start', nextState: 'next' },
    ])
  })

  it('ends the job when its transition leads to an end', () => {
    const outcome = { kind: 'completed', status: 'done', data: { n: 2 } } as const
    const { job, answer } = change(claimedJob(), taskResult(TASK_1, outcome))
    expect(job).toMatchObject({ status: 'finished', state: 'end', result: { n: 2 } })
    expect(answer?.transition).toBe('done_transition')
  })

  it('that is sent again gets the same answer and changes nothing (D-13)', () => {
    const first = change(claimedJob(), taskResult(TASK_1))
    const again = decide(first.job, taskResult(TASK_1))
    expect(again).toEqual({ kind: 'repeated', answer: first.answer })
  })

  it('that is sent again is answered alike after the job has ended (D-13)', () => {
    const outcome = { kind: 'completed', status: 'done', data: {} } as const
    const ended = change(claimedJob(), taskResult(TASK_1, outcome))
    expect(decide(ended.job, taskResult(TASK_1, outcome)).kind).toBe('repeated')
  })

  it('of an earlier task is answered as then, and not taken for the present one (D-13, D-14)', () => {
    const moved = change(claimedJob(), taskResult(TASK_1))
    const job = after(
      moved.job,
      stepSucceeded('j-s3', dispatch()),
      taskClaimed('task-j-4-1'),
      taskResult('task-j-4-1'),
    )
    const again = decide(job, taskResult(TASK_1))
    expect(again).toEqual({ kind: 'repeated', answer: moved.answer })
  })

  it('of a task so old that its answer is forgotten is stale, and changes nothing (D-14)', () => {
    let job = after(claimedJob(), taskResult(TASK_1))
    for (let n = 3; n <= 17; n += 2) {
      const taskId = `task-j-${String(n + 1)}-1`
      const handled = stepSucceeded(`j-s${String(n)}`, dispatch())
      job = after(job, handled, taskClaimed(taskId), taskResult(taskId))
    }
    expect(job.answers).toHaveLength(8)
    expect(decide(job, taskResult(TASK_1))).toEqual({ kind: 'ignored', reason: 'stale_task' })
    expect(decide(job, taskResult('task-j-18-1')).kind).toBe('repeated')
  })

  it('of an attempt that was given up is not taken for the next one (D-14)', () => {
    const job = after(claimedJob(), taskLost(TASK_1), taskClaimed(TASK_2))
    expect(decide(job, taskResult(TASK_1))).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })

  it('from a worker that does not hold the task is refused (J4)', () => {
    const decision = decide(claimedJob(), taskResult(TASK_1, undefined, { workerId: 'other' }))
    expect(decision).toEqual({ kind: 'ignored', reason: 'worker_mismatch' })
  })

  it('that names another attempt than the one that is out changes nothing', () => {
    const attempt = (n: number): Decision =>
      decide(claimedJob(), taskResult(TASK_1, undefined, { attempt: n }))
    expect(attempt(2)).toEqual({ kind: 'ignored', reason: 'stale_task' })
    expect(attempt(1).kind).toBe('changed')
  })

  it('for a task that nobody was given is stale', () => {
    const decision = decide(offeredJob(), taskResult(TASK_1))
    expect(decision).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })

  const endings = [
    { how: 'cancelled', event: cancelRequested(), reason: 'job_cancelled' },
    { how: 'timed out', event: timerFired(T0 + 20_000), reason: 'deadline_exceeded' },
  ]
  it.each(endings)('for a job that was $how says $reason (D-16)', ({ event, reason }) => {
    const ended = after(claimedJob({ resultTimeoutMs: 20_000 }), event)
    expect(decide(ended, taskResult(TASK_1))).toEqual({ kind: 'ignored', reason })
  })

  it('for a job that ended otherwise says so', () => {
    const finish = { type: 'finish', outcome: 'finished' } as const
    const ended = after(readyJob(), stepSucceeded('j-s1', finish))
    const expected = { kind: 'ignored', reason: 'job_already_terminated' }
    expect(decide(ended, taskResult(TASK_1))).toEqual(expected)
  })

  const unknown = ['strange', 'constructor', '__proto__', 'toString', '']
  it.each(unknown)(
    'of the undeclared status "%s" fails the job and names the declared ones',
    (status) => {
      const outcome = { kind: 'completed', status, data: {} } as const
      const { job, effects, answer } = change(claimedJob(), taskResult(TASK_1, outcome))
      expect(job).toMatchObject({
        status: 'failed',
        state: 'start',
        error: { code: 'UNHANDLED_STATUS' },
      })
      expect(job.error?.message).toBe(
        `Worker returned unhandled status: ${status} (task resize). Declared transitions: success, done.`,
      )
      expect(answer?.transition).toBe('unhandled_status_failure')
      expect(records(effects, 'job_failed')).toHaveLength(1)
    },
  )

  it('says that no transition was declared when there was none', () => {
    const job = after(claimedJob({}, {}), taskResult(TASK_1))
    expect(job.error?.message).toContain('Declared transitions: none.')
  })
})

describe('a failed task', () => {
  const C = TASK_ERROR_CODES
  const retried = [C.transient, C.resourceExhausted, C.timeout, C.internal, C.limitExceeded, 'NEW']
  it.each(retried)('with %s is offered again after a pause (D-28)', (code) => {
    const { job, effects, answer } = change(claimedJob(), taskResult(TASK_1, failedWith(code)))
    expect(job).toMatchObject({
      status: 'waiting_for_worker',
      retryCount: 0,
      error: { code },
      wait: { retries: 1, avoid: 'w', phase: { kind: 'backing_off', until: T0 + 1_000 } },
    })
    expect(answer?.transition).toBe('failure_handled')
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_task', taskId: TASK_1 },
      { kind: 'set_deadline', key: 'wait', at: T0 + 1_000 },
    ])
  })

  it('comes back as a new attempt with deadlines of its own (D-14, D-27)', () => {
    const { job, effects } = change(backingOffJob(), timerFired(T0 + 1_000))
    expect(job.wait).toMatchObject({
      taskId: TASK_2,
      attempt: 2,
      phase: { kind: 'offered', dispatchDeadlineAt: T0 + 11_000 },
    })
    expect(offersOf(effects)).toMatchObject([{ taskId: TASK_2, attempt: 2, params: { width: 10 } }])
  })

  const setAside = [C.permanent, C.security, C.dependency, C.contractViolation]
  it.each(setAside)(
    'with %s quarantines its job at once, with one ending record (D-31)',
    (code) => {
      const { job, effects } = change(claimedJob(), taskResult(TASK_1, failedWith(code)))
      const message = `Task failed with permanent error (${code}): no luck`
      expect(job).toMatchObject({ status: 'quarantined', error: { code, message } })
      expect(records(effects).map(({ type }) => type)).toEqual(['task_finished', 'job_quarantined'])
    },
  )

  const refused = [C.invalidInput, C.integrityMismatch]
  it.each(refused)('with %s fails its job at once, with one ending record (D-31)', (code) => {
    const { job, effects } = change(claimedJob(), taskResult(TASK_1, failedWith(code)))
    const message = 'Task failed due to invalid input: no luck'
    expect(job).toMatchObject({ status: 'failed', error: { code, message } })
    expect(records(effects).map(({ type }) => type)).toEqual(['task_finished', 'job_failed'])
  })

  it('quarantines its job when its retries are spent', () => {
    const job = after(lastAttempt(), taskResult('task-j-2-4', failedWith(C.transient)))
    const message = 'Task failed after 4 attempts: no luck'
    expect(job).toMatchObject({ status: 'quarantined', error: { code: C.transient, message } })
  })

  const unexplained: TaskOutcome = { kind: 'failed', error: null, data: { seen: true } }
  it('without an error follows the failure transition if one is declared (D-29)', () => {
    const transitions = { ...TRANSITIONS, failure: { state: 'repair' } }
    const { job, answer } = change(claimedJob({}, transitions), taskResult(TASK_1, unexplained))
    expect(job).toMatchObject({ state: 'repair', stateHistory: { seen: true } })
    expect(answer?.transition).toBe('failure_transition')
  })

  it('without an error or a failure transition is retried', () => {
    const job = after(claimedJob(), taskResult(TASK_1, unexplained))
    expect(job).toMatchObject({
      error: { code: C.transient },
      wait: { phase: { kind: 'backing_off' } },
    })
  })

  it('pauses no longer than to the result deadline', () => {
    const job = backingOffJob({ resultTimeoutMs: 400 })
    expect(job.wait).toMatchObject({ phase: { kind: 'backing_off', until: T0 + 400 } })
    const ended = after(job, timerFired(T0 + 400))
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT_ERROR' } })
  })
})
