/** What handlers decide, and what becomes of those that fail. */
import { describe, expect, it } from 'vitest'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  backingOffJob,
  change,
  claimedJob,
  deeds,
  dispatch,
  ERROR,
  goTo,
  offeredJob,
  offerOf,
  readyJob,
  records,
  retryingJob,
  RULES,
  stepDeferred,
  stepFailed,
  stepSucceeded,
  TASK_1,
  taskResult,
  timerFired,
} from './support/jobs.ts'

describe('a handler that goes to another state', () => {
  it('leaves its step and readies the next one, in one change (D-11)', () => {
    const { job, effects } = change(readyJob(), stepSucceeded('j-s1', goTo('next'), T0 + 7))
    expect(job).toMatchObject({ status: 'running', state: 'next', stateEnteredAt: T0 + 7 })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_step', stepId: 'j-s1' },
      { kind: 'run_step', stepId: 'j-s2' },
    ])
    expect(records(effects)).toMatchObject([
      { type: 'state_finished', previousState: 'start', nextState: 'next', durationMs: 7 },
    ])
  })

  it('ends the job when the target is an end without a handler (D-30)', () => {
    const target = { state: 'end', end: 'finished' } as const
    const { job, effects } = change(
      readyJob(),
      stepSucceeded('j-s1', { type: 'go_to', target }, T0 + 9),
    )
    expect(job).toMatchObject({ status: 'finished', state: 'end', finishedAt: T0 + 9, wait: null })
    expect(deeds(effects)).toEqual([{ kind: 'withdraw_step', stepId: 'j-s1' }])
    expect(records(effects).map(({ type }) => type)).toEqual(['state_finished', 'job_finished'])
  })

  it('fails the job when it went round more often than allowed, and names the states (D-31)', () => {
    const rules = { ...RULES, maxTransitions: 2 }
    const job = after(
      readyJob(),
      stepSucceeded('j-s1', goTo('a')),
      stepSucceeded('j-s2', goTo('b')),
    )
    const { job: ended, effects } = change(job, stepSucceeded('j-s3', goTo('a')), rules)
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'TOO_MANY_TRANSITIONS' } })
    expect(ended.error?.message).toContain('start -> a -> b')
    expect(ended.error?.message).toContain('MAX_TRANSITIONS_PER_JOB')
    expect(records(effects, 'job_failed')).toHaveLength(1)
  })

  it('forgets the retries and the error of the state before (D-28)', () => {
    const retried = after(retryingJob(), timerFired(T0 + 1_000))
    const job = after(retried, stepSucceeded('j-s2', goTo('next')))
    expect(job).toMatchObject({ retryCount: 0, error: null })
  })
})

describe('a handler that finishes the job', () => {
  const outcomes = ['finished', 'failed'] as const
  it.each(outcomes)('ends it as %s with one record (D-31)', (outcome) => {
    const action = { type: 'finish', outcome, result: { total: 3 } } as const
    const { job, effects } = change(readyJob(), stepSucceeded('j-s1', action, T0 + 4))
    expect(job).toMatchObject({ status: outcome, result: { total: 3 }, finishedAt: T0 + 4 })
    expect(records(effects)).toMatchObject([{ type: `job_${outcome}`, durationMs: 4 }])
  })

  it('gives the last worker’s data as the result when it names none', () => {
    const job = after(claimedJob(), taskResult(TASK_1))
    const ended = after(job, stepSucceeded('j-s3', { type: 'finish', outcome: 'finished' }))
    expect(ended.result).toEqual({ out: 1 })
  })

  it('may give null or false as the result', () => {
    for (const result of [null, false]) {
      const action = { type: 'finish', outcome: 'finished', result } as const
      expect(after(readyJob(), stepSucceeded('j-s1', action)).result).toBe(result)
    }
  })
})

describe('a handler that dispatches a task', () => {
  it('offers it complete and sets the dispatch deadline (D-7, D-11)', () => {
    const { job, effects } = change(readyJob(), stepSucceeded('j-s1', dispatch(), T0 + 1))
    expect(job).toMatchObject({
      status: 'waiting_for_worker',
      wait: {
        for: 'task',
        taskId: TASK_1,
        attempt: 1,
        dispatchedAt: T0 + 1,
        phase: { kind: 'offered', dispatchDeadlineAt: T0 + 10_001 },
      },
    })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_step', stepId: 'j-s1' },
      offerOf(TASK_1),
      { kind: 'set_deadline', key: 'wait', at: T0 + 10_001 },
    ])
    expect(records(effects)).toMatchObject([
      { type: 'task_dispatched', taskId: TASK_1, attempt: 1 },
    ])
  })

  it('waits for as long as it takes when there is no dispatch timeout (D-10)', () => {
    const { job, effects } = change(
      readyJob(),
      stepSucceeded('j-s1', dispatch({ dispatchTimeoutMs: null })),
    )
    expect(job.wait).toMatchObject({ phase: { kind: 'offered', dispatchDeadlineAt: null } })
    expect(effects.some(({ kind }) => kind === 'set_deadline')).toBe(false)
  })

  const limits = [
    { job: {}, task: { resultTimeoutMs: 5_000 }, result: 6_000, dispatch: 6_000 },
    { job: { resultTimeoutMs: 3_000 }, task: {}, result: 3_000, dispatch: 3_000 },
    {
      job: { resultTimeoutMs: 30_000 },
      task: { resultTimeoutMs: 5_000 },
      result: 6_000,
      dispatch: 6_000,
    },
    { job: { dispatchTimeoutMs: 2_000 }, task: {}, result: null, dispatch: 2_000 },
    { job: { dispatchTimeoutMs: 20_000 }, task: {}, result: null, dispatch: 11_000 },
    {
      job: { dispatchTimeoutMs: 7_000, resultTimeoutMs: 9_000 },
      task: {},
      result: 9_000,
      dispatch: 7_000,
    },
  ]
  it.each(limits)(
    'counts a task’s limits from its dispatch and the job’s from its creation (D-37): $job, $task',
    ({ job, task, result, dispatch: dispatchBy }) => {
      const next = after(readyJob(job), stepSucceeded('j-s1', dispatch(task), T0 + 1_000))
      expect(next.wait).toMatchObject({
        resultDeadlineAt: result === null ? null : T0 + result,
        phase: { dispatchDeadlineAt: T0 + dispatchBy },
      })
    },
  )
})

describe("the job's own dispatch timeout", () => {
  it('is met once a worker was found: later tasks and retries do not fail for it (D-27)', () => {
    const job = { ...readyJob({ dispatchTimeoutMs: 500 }), lastWorkerId: 'worker-1' }
    const next = after(
      job,
      stepSucceeded('j-s1', dispatch({ dispatchTimeoutMs: null }), T0 + 1_000),
    )
    expect(next.wait).toMatchObject({ phase: { kind: 'offered', dispatchDeadlineAt: null } })
  })
})

describe('a handler that throws', () => {
  it('runs again after a pause, as a new step (D-28)', () => {
    const { job, effects } = change(readyJob(), stepFailed('j-s1'))
    expect(job).toMatchObject({
      status: 'awaiting_retry',
      retryCount: 1,
      error: ERROR,
      wait: { for: 'retry', until: T0 + 1_000 },
    })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_step', stepId: 'j-s1' },
      { kind: 'set_deadline', key: 'wait', at: T0 + 1_000 },
    ])
    const again = change(job, timerFired(T0 + 1_000))
    expect(again.job).toMatchObject({ status: 'running', wait: { stepId: 'j-s2' }, retryCount: 1 })
    expect(deeds(again.effects)).toEqual([
      { kind: 'run_step', stepId: 'j-s2' },
      { kind: 'clear_deadline', key: 'wait' },
    ])
  })

  it('is quarantined with its last error when its retries are spent, with one ending record (D-31)', () => {
    let job = readyJob()
    const pauses: number[] = []
    let at = T0
    for (let n = 1; n <= 3; n += 1) {
      job = after(job, stepFailed(`j-s${String(n)}`, { at }))
      const until = job.wait?.for === 'retry' ? job.wait.until : 0
      pauses.push(until - at)
      at = until
      job = after(job, timerFired(at))
    }
    const { job: ended, effects } = change(job, stepFailed('j-s4', { at }))
    expect(pauses).toEqual([1_000, 2_000, 4_000])
    expect(ended).toMatchObject({ status: 'quarantined', error: ERROR, finishedAt: at })
    expect(records(effects).map(({ type }) => type)).toEqual(['state_failed', 'job_quarantined'])
    expect(records(effects, 'state_failed')).toMatchObject([{ attempt: 4, error: ERROR }])
  })

  it('fails its job at once when trying again cannot help, as when it took no action (D-9)', () => {
    const { job, effects } = change(readyJob(), stepFailed('j-s1', { then: 'fail' }))
    expect(job).toMatchObject({ status: 'failed', error: ERROR, wait: null, retryCount: 0 })
    expect(records(effects).map(({ type }) => type)).toEqual(['state_failed', 'job_failed'])
  })

  it('does not share its retries with the tasks that follow (D-28)', () => {
    const retried = after(retryingJob(), timerFired(T0 + 1_000))
    expect(after(retried, stepSucceeded('j-s2', dispatch())).retryCount).toBe(0)
    expect(backingOffJob()).toMatchObject({ retryCount: 0, wait: { retries: 1 } })
  })
})

describe('a step that cannot run here', () => {
  it('is tried later and costs no retry', () => {
    const { job, effects } = change(readyJob(), stepDeferred('j-s1', T0 + 500))
    expect(job).toMatchObject({
      status: 'awaiting_retry',
      retryCount: 0,
      wait: { until: T0 + 500 },
    })
    expect(records(effects).map(({ type }) => type)).toEqual(['state_deferred'])
  })

  it('leaves one history row however often it is deferred for the same reason (D-69)', () => {
    const deferred = after(readyJob(), stepDeferred('j-s1', T0 + 500), timerFired(T0 + 500))
    const { effects } = change(deferred, stepDeferred('j-s2', T0 + 1_000, T0 + 500))
    expect(records(effects)).toEqual([])
  })
})

describe('a step that is over', () => {
  it('dispatches no second task when its handler returns twice (D-21)', () => {
    expect(() => change(offeredJob(), stepSucceeded('j-s1', dispatch()))).toThrow('stale_task')
  })

  it('changes nothing when its slow twin returns after the retry began (D-22)', () => {
    const retried = after(retryingJob(), timerFired(T0 + 1_000))
    expect(() => change(retried, stepSucceeded('j-s1', goTo('next')))).toThrow('stale_task')
  })
})
