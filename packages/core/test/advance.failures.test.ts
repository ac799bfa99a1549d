/** The failure matrix, row by row: what happened, and what follows. */
import { TASK_ERROR_CODES } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import type { JobEvent, TaskOutcome } from '../src/job/event.ts'
import type { Job } from '../src/job/job.ts'
import type { RetryRules } from '../src/job/retry.ts'
import type { JobError } from '../src/job/vocabulary.ts'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  afterBy,
  cancelRequested,
  change,
  claimedJob,
  decide,
  dispatch,
  ERROR,
  failedWith,
  fanOut,
  FORGIVEN,
  goTo,
  lastAttempt,
  messagesOf,
  offeredJob,
  offersOf,
  readyJob,
  records,
  RULES,
  stepFailed,
  stepSucceeded,
  TASK_1,
  TASK_2,
  taskClaimed,
  taskLost,
  taskResult,
  timerFired,
  waitingJob,
} from './support/jobs.ts'

const C = TASK_ERROR_CODES
const UNKNOWN = 'SOMETHING_NEW'
const failure = (error: JobError | null): TaskOutcome => ({ kind: 'failed', error, data: {} })

/** A task whose failures for good have a transition, and a retry policy as given. */
function forgiving(retry: RetryRules | null = null): Job {
  const transitions = { success: { state: 'next' }, failure: { state: 'repair' } }
  const action = dispatch({ retry }, transitions, { onFailure: 'transition' })
  return after(waitingJob(action), taskClaimed(TASK_1))
}

type Follows = 'retry' | 'quarantined' | 'failed' | 'transition'

describe('what a worker’s failure leads to', () => {
  const rows: readonly { what: string; outcome: TaskOutcome; end: Follows; forgive: Follows }[] = [
    ...[C.transient, C.resourceExhausted, C.timeout, C.internal, UNKNOWN, ''].map((code) => ({
      what: code === '' ? 'an error without a code' : code,
      outcome: failedWith(code),
      end: 'retry' as const,
      forgive: 'retry' as const,
    })),
    ...[C.permanent, C.security, C.dependency, C.contractViolation].map((code) => ({
      what: code,
      outcome: failedWith(code),
      end: 'quarantined' as const,
      forgive: 'transition' as const,
    })),
    ...[C.invalidInput, C.integrityMismatch].map((code) => ({
      what: code,
      outcome: failedWith(code),
      end: 'failed' as const,
      forgive: 'transition' as const,
    })),
    {
      what: 'no error, no transition for it or one',
      outcome: failure(null),
      end: 'retry',
      forgive: 'transition',
    },
  ]

  function followed(job: Job): Follows | 'other' {
    if (job.wait?.for === 'task' && job.wait.phase.kind === 'backing_off') return 'retry'
    if (job.status === 'quarantined' || job.status === 'failed') return job.status
    return job.state === 'repair' ? 'transition' : 'other'
  }

  it.each(rows)('$what: $end (D-28, D-31)', ({ outcome, end }) => {
    const { job, answer } = change(claimedJob(), taskResult(TASK_1, outcome))
    expect(followed(job)).toBe(end)
    expect(answer?.transition).toBe('failure_handled')
  })

  it.each(rows)('$what, with onFailure transition: $forgive (D-29)', ({ outcome, forgive }) => {
    expect(followed(after(forgiving(), taskResult(TASK_1, outcome)))).toBe(forgive)
  })

  it.each(rows)('$what: told to the world once at most (D-31)', ({ outcome, end }) => {
    const hook = { webhookUrl: 'https://client.test/hook' }
    const job = after(waitingJob(dispatch(), hook), taskClaimed(TASK_1))
    const { effects } = change(job, taskResult(TASK_1, outcome))
    const events = messagesOf(effects).map((message) =>
      message.kind === 'notify' ? message.event : message.kind,
    )
    expect(events).toEqual(end === 'retry' ? [] : [`job_${end}`])
  })
})

describe('onFailure transition', () => {
  const error = (code: string, message: string): object => ({ code, message })
  const rows: readonly { what: string; job: Job; event: JobEvent; error: object }[] = [
    {
      what: 'a permanent error',
      job: forgiving(),
      event: taskResult(TASK_1, failedWith(C.permanent)),
      error: error(C.permanent, 'Task failed with permanent error (PERMANENT_ERROR): no luck'),
    },
    {
      what: 'invalid input',
      job: forgiving(),
      event: taskResult(TASK_1, failedWith(C.invalidInput)),
      error: error(C.invalidInput, 'Task failed due to invalid input: no luck'),
    },
    {
      what: 'spent retries',
      job: lastAttempt(FORGIVEN),
      event: taskResult('task-j-2-4', failedWith(C.transient)),
      error: error(C.transient, 'Task failed after 4 attempts: no luck'),
    },
    {
      what: 'too many lost workers',
      job: lastAttempt(FORGIVEN),
      event: taskLost('task-j-2-4'),
      error: error(
        'WORKER_LOST',
        'Task failed after 4 attempts: The worker w was lost while it held the task.',
      ),
    },
    {
      what: 'no worker in time',
      job: waitingJob(FORGIVEN),
      event: timerFired(T0 + 10_000),
      error: error(
        C.timeout,
        'Task resize timed out: no worker took it in time (dispatch timeout).',
      ),
    },
  ]
  it.each(rows)('after $what hands the error to the next state (D-29)', (row) => {
    const { job, effects } = change(row.job, row.event)
    expect(job).toMatchObject({ status: 'running', state: 'repair', error: null, retryCount: 0 })
    expect(job.stateHistory).toEqual({ error: row.error })
    expect(records(effects, 'state_finished')).toMatchObject([{ nextState: 'repair' }])
  })

  it('keeps the details of the error', () => {
    const details = { line: 4 }
    const outcome = failure({ code: C.permanent, message: 'no', details })
    const job = after(forgiving(), taskResult(TASK_1, outcome))
    expect(job.stateHistory).toMatchObject({ error: { details } })
  })

  it('without a failure transition ends the job as ever', () => {
    const action = dispatch({}, undefined, { onFailure: 'transition' })
    const job = after(waitingJob(action), taskClaimed(TASK_1))
    expect(after(job, taskResult(TASK_1, failedWith(C.permanent))).status).toBe('quarantined')
  })

  it('is asked for: a failure transition alone does not catch errors', () => {
    const job = claimedJob({}, { failure: { state: 'repair' } })
    expect(after(job, taskResult(TASK_1, failedWith(C.permanent))).status).toBe('quarantined')
    expect(after(job, taskResult(TASK_1, failedWith(C.transient))).wait?.for).toBe('task')
  })

  it('does not catch what is not a failure of the task', () => {
    expect(after(forgiving(), cancelRequested()).status).toBe('cancelled')
    const odd = { kind: 'completed', status: 'odd', data: {} } as const
    expect(after(forgiving(), taskResult(TASK_1, odd))).toMatchObject({
      status: 'failed',
      error: { code: 'UNHANDLED_STATUS' },
    })
  })
})

describe('a failure without an error', () => {
  it('takes its data along to the failure transition, and leaves no error behind (D-29)', () => {
    const outcome: TaskOutcome = { kind: 'failed', error: null, data: { left: 2 } }
    const { job, answer } = change(forgiving(), taskResult(TASK_1, outcome))
    expect(job).toMatchObject({ state: 'repair', error: null, lastData: { left: 2 } })
    expect(job.stateHistory).toEqual({ left: 2 })
    expect(answer?.transition).toBe('failure_transition')
  })
})

describe('a retry policy of a task', () => {
  const policy = (maxRetries: number, backoff = {}): RetryRules => ({
    maxRetries,
    backoff: { initialMs: 100, factor: 3, maxMs: 500, jitter: 0.5, ...backoff },
  })

  it('replaces that of the rules: attempts, pauses, growth and bound (D-28)', () => {
    let job = after(offeredJob({ retry: policy(4) }), taskClaimed(TASK_1))
    const pauses: number[] = []
    let at = T0
    for (let n = 1; n <= 4; n += 1) {
      job = after(job, taskResult(`task-j-2-${String(n)}`, failedWith(C.transient), { at }))
      const until = job.wait?.for === 'task' && 'until' in job.wait.phase ? job.wait.phase.until : 0
      pauses.push(until - at)
      at = until
      job = after(job, timerFired(at), taskClaimed(`task-j-2-${String(n + 1)}`, 'w', at))
    }
    expect(pauses).toEqual([100, 300, 500, 500])
    const ended = after(job, taskResult('task-j-2-5', failedWith(C.transient), { at }))
    expect(ended).toMatchObject({
      status: 'quarantined',
      error: { message: 'Task failed after 5 attempts: no luck' },
    })
  })

  it('is shortened by chance', () => {
    const event = taskResult(TASK_1, failedWith(C.transient), { chance: 0.5 })
    const job = after(claimedJob({ retry: policy(1) }), event)
    expect(job.wait).toMatchObject({ phase: { until: T0 + 75 } })
  })

  const none = policy(0)
  const attempts: readonly { what: string; event: JobEvent }[] = [
    { what: 'an error', event: taskResult(TASK_1, failedWith(C.transient)) },
    { what: 'a loss', event: taskLost(TASK_1) },
    { what: 'an execution timeout', event: timerFired(T0 + 60_000) },
  ]
  it.each(attempts)('of no retries quarantines the job at $what', ({ event }) => {
    const job = after(claimedJob({ retry: none }), event)
    expect(job.status).toBe('quarantined')
    expect(job.error?.message).toMatch(/^Task failed after 1 attempts: /)
  })

  it('does not count for the handler, which has the rules’ own (D-28)', () => {
    const rules = { ...RULES, retry: { ...RULES.retry, maxRetries: 1 } }
    const job = afterBy(rules, readyJob(), stepFailed('j-s1'), timerFired(T0 + 1_000))
    expect(change(job, stepFailed('j-s2'), rules).job.status).toBe('quarantined')
    const own = afterBy(rules, readyJob(), stepSucceeded('j-s1', dispatch({ retry: policy(9) })))
    expect(own.wait).toMatchObject({ spec: { retry: { maxRetries: 9 } } })
  })

  it('counts per attempt of a step, not over the whole job (D-28)', () => {
    let job = after(
      claimedJob(),
      taskLost(TASK_1),
      taskClaimed(TASK_2),
      taskResult(TASK_2),
      stepSucceeded('j-s3', dispatch()),
    )
    expect(job.wait).toMatchObject({ attempt: 1, retries: 0 })
    job = after(job, taskClaimed('task-j-4-1'), taskResult('task-j-4-1'))
    expect(job.retryCount).toBe(0)
    job = after(job, stepFailed('j-s5'))
    expect(job.retryCount).toBe(1)
  })
})

describe('the worker that has just failed a task', () => {
  const rows: readonly { what: string; events: readonly JobEvent[]; at: number }[] = [
    {
      what: 'reported an error',
      events: [taskResult(TASK_1, failedWith(C.transient)), timerFired(T0 + 1_000)],
      at: T0 + 1_000,
    },
    { what: 'was lost', events: [taskLost(TASK_1, T0 + 5)], at: T0 + 5 },
    {
      what: 'gave no result in time',
      events: [timerFired(T0 + 60_000), timerFired(T0 + 61_000)],
      at: T0 + 61_000,
    },
    {
      what: 'handed it back',
      events: [taskResult(TASK_1, { kind: 'handed_back' }, { at: T0 + 5 })],
      at: T0 + 5,
    },
  ]
  it.each(rows)('comes after the others for a moment when it $what (D-28)', ({ events, at }) => {
    const job = after(claimedJob(), ...events.slice(0, -1))
    const last = events.at(-1)
    if (last === undefined) throw new Error('There is no event.')
    const { effects } = change(job, last)
    expect(offersOf(effects)).toMatchObject([
      { taskId: TASK_2, avoid: { workerId: 'w', until: at + 1_000 } },
    ])
  })

  it('is not avoided by the next task', () => {
    const job = after(claimedJob(), taskLost(TASK_1), taskClaimed(TASK_2), taskResult(TASK_2))
    const { effects } = change(job, stepSucceeded('j-s3', dispatch()))
    expect(offersOf(effects)).toMatchObject([{ avoid: null }])
  })

  it('gives way to the one that failed last', () => {
    const job = after(claimedJob(), taskLost(TASK_1), taskClaimed(TASK_2, 'w2'))
    const { effects } = change(job, taskLost(TASK_2))
    expect(offersOf(effects)).toMatchObject([{ avoid: { workerId: 'w2' } }])
  })
})

describe('a lost worker', () => {
  it('spends one retry per loss, however often it is told (D-26)', () => {
    const job = after(claimedJob(), taskLost(TASK_1))
    expect(job.wait).toMatchObject({ retries: 1, attempt: 2 })
    expect(decide(job, taskLost(TASK_1))).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })

  it('spends none when the task was never heard of as claimed (D-12)', () => {
    expect(after(offeredJob(), taskLost(TASK_1)).wait).toMatchObject({ retries: 0, attempt: 2 })
  })
})

describe('a handler', () => {
  it('that threw in an aggregator or after a person decided keeps what it was given (D-20)', () => {
    const job = after(
      waitingJob(fanOut({ a: {} })),
      taskClaimed(TASK_1),
      taskResult(TASK_1),
      stepFailed('j-s3'),
      timerFired(T0 + 1_000),
    )
    expect(job.received).toMatchObject({ kind: 'branches', branches: [{ name: 'a' }] })
  })

  it('that took no action fails its job with that message, at once (D-9)', () => {
    const error = { code: 'HANDLER_NO_ACTION', message: 'returned without an action' }
    const event: JobEvent = {
      kind: 'step_failed',
      at: T0,
      stepId: 'j-s1',
      error,
      then: 'fail',
      chance: 0,
    }
    expect(after(readyJob(), event)).toMatchObject({ status: 'failed', error, wait: null })
  })
})

describe('the loop guard', () => {
  const rules = { ...RULES, maxTransitions: 3 }

  it('counts transitions by handlers, tasks, children, events and timers alike (D-31)', () => {
    const loop = dispatch({}, { success: { state: 'start' } })
    let job = readyJob()
    for (let n = 0; n < 3; n += 1) {
      const stepId = job.wait?.for === 'step' ? job.wait.stepId : 'none'
      job = afterBy(rules, job, stepSucceeded(stepId, loop))
      const taskId = job.wait?.for === 'task' ? job.wait.taskId : 'none'
      job = afterBy(rules, job, taskClaimed(taskId), taskResult(taskId))
    }
    expect(job).toMatchObject({ status: 'running', transitionCount: 3 })
    const stepId = job.wait?.for === 'step' ? job.wait.stepId : 'none'
    const { job: ended, effects } = change(job, stepSucceeded(stepId, goTo('again')), rules)
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'TOO_MANY_TRANSITIONS' } })
    expect(ended.error?.message).toContain('start -> again')
    expect(records(effects).map(({ type }) => type)).toEqual(['state_finished', 'job_failed'])
  })

  it('lets the last allowed transition end the job', () => {
    const at = afterBy(
      { ...RULES, maxTransitions: 0 },
      readyJob(),
      stepSucceeded('j-s1', {
        type: 'go_to',
        target: { state: 'end', end: 'finished' },
      }),
    )
    expect(at.status).toBe('finished')
  })
})

describe('the one place where a job ends', () => {
  const hook = { webhookUrl: 'https://client.test/hook' }
  const claimed = (): Job => after(waitingJob(dispatch(), hook), taskClaimed(TASK_1))
  const rows: readonly { cause: string; job: Job; event: JobEvent; said: object }[] = [
    {
      cause: 'a finish',
      job: readyJob(hook),
      event: stepSucceeded('j-s1', { type: 'finish', outcome: 'finished', result: { n: 1 } }),
      said: { event: 'job_finished', status: 'finished', result: { n: 1 }, error: null },
    },
    {
      cause: 'a handler that cannot be retried',
      job: readyJob(hook),
      event: stepFailed('j-s1', { then: 'fail' }),
      said: { event: 'job_failed', status: 'failed', error: ERROR.message },
    },
    {
      cause: 'a permanent error',
      job: claimed(),
      event: taskResult(TASK_1, failedWith(C.permanent)),
      said: {
        event: 'job_quarantined',
        status: 'quarantined',
        error: 'Task failed with permanent error (PERMANENT_ERROR): no luck',
      },
    },
    {
      cause: 'invalid input',
      job: claimed(),
      event: taskResult(TASK_1, failedWith(C.invalidInput)),
      said: { event: 'job_failed', error: 'Task failed due to invalid input: no luck' },
    },
    {
      cause: 'an unhandled status',
      job: claimed(),
      event: taskResult(TASK_1, { kind: 'completed', status: 'odd', data: {} }),
      said: { event: 'job_failed' },
    },
    {
      cause: 'a cancellation',
      job: claimed(),
      event: cancelRequested(),
      said: { event: 'job_cancelled', status: 'cancelled' },
    },
    {
      cause: 'a worker that says cancelled',
      job: claimed(),
      event: taskResult(TASK_1, { kind: 'cancelled' }),
      said: { event: 'job_cancelled', status: 'cancelled' },
    },
    {
      cause: 'a dispatch timeout',
      job: waitingJob(dispatch(), hook),
      event: timerFired(T0 + 10_000),
      said: { event: 'job_failed', status: 'failed' },
    },
    {
      cause: 'the job’s own deadline',
      job: readyJob({ ...hook, timeoutMs: 5 }),
      event: timerFired(T0 + 5, { key: 'job' }),
      said: { event: 'job_failed', status: 'failed' },
    },
  ]
  it.each(rows)('tells history and webhook once: $cause (D-31)', ({ job, event, said }) => {
    const { job: ended, effects } = change(job, event)
    const notices = messagesOf(effects).filter(({ kind }) => kind === 'notify')
    expect(notices).toHaveLength(1)
    expect(notices[0]).toMatchObject({ url: hook.webhookUrl, from: 'j', ...said })
    const ends = records(effects).filter(({ type }) => type.startsWith('job_'))
    expect(ends.map(({ type }) => type)).toEqual([`job_${ended.status}`])
    expect(ended).toMatchObject({ wait: null, finishedAt: event.at })
  })
})
