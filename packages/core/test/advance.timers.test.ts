/** Everything that time does to a job: sleeps, deadlines of jobs, tasks and waits. */
import { describe, expect, it } from 'vitest'
import type { Action, NewJob } from '../src/job/event.ts'
import type { Job } from '../src/job/job.ts'
import type { TaskSpec } from '../src/job/task.ts'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  awaitApproval,
  branchTask,
  cancelRequested,
  change,
  CHILD_1,
  claimedJob,
  created,
  decide,
  deeds,
  dispatch,
  failedWith,
  fanOut,
  FORGIVEN,
  messagesOf,
  offeredJob,
  offersOf,
  readyJob,
  records,
  RULES,
  runChild,
  runOf,
  sleep,
  stepFailed,
  stepSucceeded,
  TASK_1,
  TASK_2,
  taskClaimed,
  taskLost,
  taskResult,
  TIMER_CLEARED,
  timerFired,
  TRANSITIONS,
  waitForEvent,
  waitingJob,
} from './support/jobs.ts'

const STALE = { kind: 'ignored', reason: 'stale_task' }

describe('sleep', () => {
  it('is a timer of the job, so that it outlives any process', () => {
    const { job, effects } = change(readyJob(), stepSucceeded('j-s1', sleep(1_500), T0 + 10))
    expect(job).toMatchObject({ status: 'sleeping', state: 'start' })
    expect(job.wait).toEqual({ for: 'sleep', until: T0 + 1_510, next: { state: 'next' } })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_step', stepId: 'j-s1' },
      { kind: 'set_deadline', key: 'wait', at: T0 + 1_510 },
    ])
    expect(records(effects)).toMatchObject([
      { type: 'sleep_started', nextState: 'next', durationMs: 1_500 },
    ])
  })

  it('until a moment wakes at that moment', () => {
    const action: Action = { type: 'sleep', until: { at: T0 + 77 }, next: { state: 'next' } }
    const { job, effects } = change(readyJob(), stepSucceeded('j-s1', action, T0 + 7))
    expect(job.wait).toMatchObject({ until: T0 + 77 })
    expect(records(effects)).toMatchObject([{ durationMs: 70 }])
  })

  it('until a moment that has passed wakes at once', () => {
    const action: Action = { type: 'sleep', until: { at: T0 - 5 }, next: { state: 'next' } }
    const { job, effects } = change(readyJob(), stepSucceeded('j-s1', action))
    expect(records(effects)).toMatchObject([{ durationMs: 0 }])
    expect(deeds(effects)).toContainEqual({ kind: 'set_deadline', key: 'wait', at: T0 - 5 })
    expect(after(job, timerFired(T0)).state).toBe('next')
  })

  it('goes on in its next state, not before its time', () => {
    const asleep = waitingJob(sleep(1_500))
    expect(decide(asleep, timerFired(T0 + 1_499))).toEqual(STALE)
    const { job, effects } = change(asleep, timerFired(T0 + 1_500))
    expect(job).toMatchObject({ status: 'running', state: 'next', received: null })
    expect(deeds(effects)).toEqual([
      { kind: 'run_step', stepId: 'j-s2' },
      { kind: 'clear_deadline', key: 'wait' },
    ])
    expect(decide(job, timerFired(T0 + 1_500))).toEqual(STALE)
  })

  it('may end the job when it is over', () => {
    const action: Action = {
      type: 'sleep',
      until: { ms: 10 },
      next: { state: 'end', end: 'finished' },
    }
    expect(after(waitingJob(action), timerFired(T0 + 10)).status).toBe('finished')
  })
})

describe('the deadline of a job', () => {
  const limited = { timeoutMs: 300 } as const
  const waits: readonly {
    wait: string
    make: (fields: Partial<NewJob>) => Job
    status: string
    taken: readonly object[]
  }[] = [
    {
      wait: 'step',
      make: readyJob,
      status: 'pending',
      taken: [{ kind: 'withdraw_step', stepId: 'j-s1' }],
    },
    {
      wait: 'retry',
      make: (fields) => after(readyJob(fields), stepFailed('j-s1')),
      status: 'awaiting_retry',
      taken: [TIMER_CLEARED],
    },
    {
      wait: 'a task on offer',
      make: (fields) => waitingJob(dispatch(), fields),
      status: 'waiting_for_worker',
      taken: [{ kind: 'withdraw_task', taskId: TASK_1 }, TIMER_CLEARED],
    },
    {
      wait: 'a task with a worker',
      make: (fields) => after(waitingJob(dispatch(), fields), taskClaimed(TASK_1)),
      status: 'waiting_for_worker',
      taken: [{ kind: 'withdraw_task', taskId: TASK_1 }, TIMER_CLEARED],
    },
    {
      wait: 'a task that pauses',
      make: (fields) =>
        after(
          waitingJob(dispatch(), fields),
          taskClaimed(TASK_1),
          taskResult(TASK_1, failedWith('TRANSIENT_ERROR')),
        ),
      status: 'waiting_for_worker',
      taken: [TIMER_CLEARED],
    },
    {
      wait: 'a task whose failure has a transition',
      make: (fields) => waitingJob(FORGIVEN, fields),
      status: 'waiting_for_worker',
      taken: [{ kind: 'withdraw_task', taskId: TASK_1 }, TIMER_CLEARED],
    },
    {
      wait: 'branches',
      make: (fields) => waitingJob(fanOut({ a: {}, b: {} }), fields),
      status: 'waiting_for_parallel_tasks',
      taken: [
        { kind: 'withdraw_task', taskId: TASK_1 },
        { kind: 'withdraw_task', taskId: 'task-j-3-1' },
        TIMER_CLEARED,
      ],
    },
    {
      wait: 'approval',
      make: (fields) => waitingJob(awaitApproval({ onTimeout: { state: 'late' } }), fields),
      status: 'waiting_for_human',
      taken: [TIMER_CLEARED],
    },
    {
      wait: 'child',
      make: (fields) => waitingJob(runChild(), fields),
      status: 'waiting_for_sub_job',
      taken: [],
    },
    {
      wait: 'event',
      make: (fields) => waitingJob(waitForEvent({ timeout: { state: 'late' } }), fields),
      status: 'waiting_for_event',
      taken: [TIMER_CLEARED],
    },
    {
      wait: 'sleep',
      make: (fields) => waitingJob(sleep(), fields),
      status: 'sleeping',
      taken: [TIMER_CLEARED],
    },
  ]

  it.each(waits)('fails it in wait $wait, wherever it is (D-37)', (row) => {
    const live = row.make(limited)
    expect(decide(live, timerFired(T0 + 299, { key: 'job' }))).toEqual(STALE)
    const { job, effects } = change(live, timerFired(T0 + 300, { key: 'job' }))
    const message = `The job did not end within 0.3 s of its creation (job timeout); it was in state 'start' with status ${row.status}.`
    expect(job).toMatchObject({
      status: 'failed',
      wait: null,
      finishedAt: T0 + 300,
      error: { code: 'TIMEOUT_ERROR', message },
    })
    const others = deeds(effects).filter(({ kind }) => kind !== 'send')
    expect(others).toEqual([...row.taken, { kind: 'clear_deadline', key: 'job' }])
    const cancelled = messagesOf(effects).map(({ kind }) => kind)
    expect(cancelled).toEqual(row.wait === 'child' ? ['cancel_job'] : [])
    expect(records(effects).map(({ type }) => type)).toEqual(['job_failed'])
  })

  it('is armed with the job and counts from its creation (D-37)', () => {
    const { effects } = change(undefined, { ...created(limited), at: T0 + 50 })
    expect(deeds(effects)).toEqual([
      { kind: 'run_step', stepId: 'j-s1' },
      { kind: 'set_deadline', key: 'job', at: T0 + 350 },
    ])
  })

  it('stays as it is from wait to wait, and is cleared with the job’s end', () => {
    let job = readyJob(limited)
    for (const event of [
      stepSucceeded('j-s1', dispatch()),
      taskClaimed(TASK_1),
      taskResult(TASK_1),
    ]) {
      const { job: next, effects } = change(job, event)
      const moved = deeds(effects).filter((effect) => 'key' in effect && effect.key === 'job')
      expect(moved).toEqual([])
      job = next
    }
    const { effects } = change(job, cancelRequested())
    expect(deeds(effects)).toContainEqual({ kind: 'clear_deadline', key: 'job' })
  })

  it('changes nothing after the end (D-16)', () => {
    const ended = after(readyJob(limited), cancelRequested())
    expect(decide(ended, timerFired(T0 + 300, { key: 'job' }))).toEqual(STALE)
  })
})

describe('a dispatch timeout', () => {
  const why = 'of 3 workers with resize, 2 are full and 1 is too expensive'

  it('fails the job with the reason why no worker matched (D-10)', () => {
    const { job, effects } = change(
      offeredJob(),
      timerFired(T0 + 10_000, { reasons: { [TASK_1]: why } }),
    )
    const message = `Task resize timed out: no worker took it in time (dispatch timeout): ${why}.`
    expect(job).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT_ERROR', message } })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_task', taskId: TASK_1 },
      { kind: 'clear_deadline', key: 'wait' },
    ])
  })

  it('does not take the reason of another task', () => {
    const job = after(offeredJob(), timerFired(T0 + 10_000, { reasons: { [TASK_2]: why } }))
    expect(job.error?.message).not.toContain(why)
  })

  it('counts anew for each attempt, and not while a worker has the task (D-27)', () => {
    const job = after(claimedJob(), taskLost(TASK_1, T0 + 9_999))
    expect(job.wait).toMatchObject({ phase: { dispatchDeadlineAt: T0 + 19_999 } })
    expect(decide(claimedJob(), timerFired(T0 + 10_000))).toEqual(STALE)
  })

  it('of the job counts from its creation, and a late first task fails at once (D-37)', () => {
    const slow = readyJob({ dispatchTimeoutMs: 500 })
    const job = after(slow, stepSucceeded('j-s1', dispatch({ dispatchTimeoutMs: null }), T0 + 800))
    expect(job.wait).toMatchObject({ phase: { dispatchDeadlineAt: T0 + 500 } })
    expect(after(job, timerFired(T0 + 800))).toMatchObject({
      status: 'failed',
      error: { code: 'TIMEOUT_ERROR' },
    })
  })
})

describe('result deadlines', () => {
  const rows: readonly {
    how: string
    job: Partial<NewJob>
    task: Partial<TaskSpec>
    dispatchedAt: number
    deadline: number | null
  }[] = [
    { how: 'none', job: {}, task: {}, dispatchedAt: 100, deadline: null },
    {
      how: 'of the task, from its dispatch',
      job: {},
      task: { resultTimeoutMs: 900 },
      dispatchedAt: 100,
      deadline: 1_000,
    },
    {
      how: 'of the job, from its creation',
      job: { resultTimeoutMs: 900 },
      task: {},
      dispatchedAt: 100,
      deadline: 900,
    },
    {
      how: 'the task’s when it is earlier',
      job: { resultTimeoutMs: 5_000 },
      task: { resultTimeoutMs: 900 },
      dispatchedAt: 100,
      deadline: 1_000,
    },
    {
      how: 'the job’s when it is earlier',
      job: { resultTimeoutMs: 950 },
      task: { resultTimeoutMs: 900 },
      dispatchedAt: 100,
      deadline: 950,
    },
    {
      how: 'the job’s when it has passed',
      job: { resultTimeoutMs: 50 },
      task: {},
      dispatchedAt: 100,
      deadline: 50,
    },
  ]
  it.each(rows)('are absolute: $how (D-37)', ({ job, task, dispatchedAt, deadline }) => {
    const at = deadline === null ? null : T0 + deadline
    const action = dispatch({ ...task, dispatchTimeoutMs: null })
    const { job: next, effects } = change(
      readyJob(job),
      stepSucceeded('j-s1', action, T0 + dispatchedAt),
    )
    expect(next.wait).toMatchObject({ resultDeadlineAt: at })
    expect(offersOf(effects)).toMatchObject([{ resultDeadlineAt: at }])
    const branch = change(
      readyJob(job),
      stepSucceeded('j-s1', fanOut({ a: { ...task } }), T0 + dispatchedAt),
    )
    expect(offersOf(branch.effects)).toMatchObject([{ resultDeadlineAt: at }])
  })

  it('hold over all attempts: a retry does not move them (D-27, D-37)', () => {
    const job = after(
      claimedJob({ resultTimeoutMs: 20_000 }),
      taskLost(TASK_1, T0 + 15_000),
      taskClaimed(TASK_2, 'w2', T0 + 16_000),
    )
    expect(job.wait).toMatchObject({
      resultDeadlineAt: T0 + 20_000,
      phase: { deadlineAt: T0 + 20_000 },
    })
    expect(after(job, timerFired(T0 + 20_000))).toMatchObject({
      status: 'failed',
      error: { message: 'Task resize timed out: no result before the result deadline.' },
    })
  })

  it('of the job hold for every task of it (D-37)', () => {
    const job = after(
      waitingJob(dispatch(), { resultTimeoutMs: 9_000 }),
      taskClaimed(TASK_1),
      taskResult(TASK_1),
      stepSucceeded('j-s3', dispatch(), T0 + 8_000),
    )
    expect(job.wait).toMatchObject({ resultDeadlineAt: T0 + 9_000 })
  })
})

describe('an execution timeout', () => {
  it('counts from the claim and is a TIMEOUT_ERROR that is tried again elsewhere (D-2, D-28)', () => {
    const claimed = after(
      offeredJob({ executionTimeoutMs: 2_500 }),
      taskClaimed(TASK_1, 'w', T0 + 100),
    )
    expect(decide(claimed, timerFired(T0 + 2_599))).toEqual(STALE)
    const { job, effects } = change(claimed, timerFired(T0 + 2_600))
    expect(job).toMatchObject({
      status: 'waiting_for_worker',
      error: { code: 'TIMEOUT_ERROR', message: 'Worker w gave no result within 2.5 s.' },
      wait: { retries: 1, avoid: 'w', phase: { kind: 'backing_off', until: T0 + 3_600 } },
    })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_task', taskId: TASK_1 },
      { kind: 'set_deadline', key: 'wait', at: T0 + 3_600 },
    ])
    // The slow worker's result comes too late.
    expect(decide(job, taskResult(TASK_1))).toEqual(STALE)
  })

  it('quarantines the job when its retries are spent', () => {
    let job = offeredJob({ executionTimeoutMs: 1_000 })
    let at = T0
    for (let n = 1; n <= 4; n += 1) {
      job = after(job, taskClaimed(`task-j-2-${String(n)}`, 'w', at))
      at += 1_000
      job = after(job, timerFired(at))
      if (n === 4) break
      at = job.wait?.for === 'task' && 'until' in job.wait.phase ? job.wait.phase.until : at
      job = after(job, timerFired(at))
    }
    const message = 'Task failed after 4 attempts: Worker w gave no result within 1 s.'
    expect(job).toMatchObject({ status: 'quarantined', error: { code: 'TIMEOUT_ERROR', message } })
  })
})

describe('a timer that comes late or twice', () => {
  it('does not end the wait after the one it was set for (D-27)', () => {
    const woken = after(waitingJob(sleep(100)), timerFired(T0 + 100))
    const next = after(woken, stepSucceeded('j-s2', waitForEvent(), T0 + 100))
    expect(decide(next, timerFired(T0 + 101))).toEqual(STALE)
  })

  it('of the wait does not end the job, nor the job’s the wait', () => {
    const job = waitingJob(sleep(100), { timeoutMs: 1_000 })
    expect(decide(job, timerFired(T0 + 100, { key: 'job' }))).toEqual(STALE)
    const long = waitingJob(sleep(5_000), { timeoutMs: 1_000 })
    expect(decide(long, timerFired(T0 + 1_000))).toEqual(STALE)
  })

  it('ends a job in a loop of sleeps by the loop guard (D-31)', () => {
    const rules = { ...RULES, maxTransitions: 1 }
    const woken = change(waitingJob(sleep(10, 'a')), timerFired(T0 + 10), rules).job
    const asleep = change(woken, stepSucceeded('j-s2', sleep(10, 'b'), T0 + 10), rules).job
    const { job } = change(asleep, timerFired(T0 + 20), rules)
    expect(job).toMatchObject({ status: 'failed', error: { code: 'TOO_MANY_TRANSITIONS' } })
    expect(job.error?.message).toContain('start -> a -> b')
  })
})

describe('a child', () => {
  it('has no deadline of its parent’s wait: its own limits end it, and that resumes the parent', () => {
    const { job, effects } = change(
      readyJob(),
      stepSucceeded('j-s1', runChild(undefined, { timeoutMs: 700 })),
    )
    expect(deeds(effects).some(({ kind }) => kind === 'set_deadline')).toBe(false)
    expect(messagesOf(effects)).toMatchObject([{ job: { id: CHILD_1, timeoutMs: 700 } }])
    expect(decide(job, timerFired(T0 + 1e9))).toEqual(STALE)
    expect(after(job, cancelRequested()).status).toBe('cancelled')
  })
})

describe('a deadline that is due already', () => {
  // Else it would stay in the hands of the watcher that reported the one before, for its lease.
  it('is set anew, though it is the same moment (D-25)', () => {
    const backoff = { ...RULES.retry.backoff, initialMs: 0 }
    const retry = { maxRetries: 3, backoff }
    const job = after(
      waitingJob(dispatch({ retry, dispatchTimeoutMs: null, executionTimeoutMs: 1_000 })),
      taskClaimed(TASK_1),
    )
    const at = T0 + 1_000
    const { job: next, effects } = change(job, timerFired(at))
    expect(next.wait).toMatchObject({ phase: { kind: 'backing_off', until: at } })
    expect(effects).toContainEqual({ kind: 'set_deadline', key: 'wait', at })
  })
})

describe('the limits of the job itself', () => {
  const retry = { maxRetries: 3, backoff: RULES.retry.backoff }
  const toFailure = { ...TRANSITIONS, failure: { state: 'next' } }

  // Else a handler that dispatches again would go round until the loop guard.
  it('end the job for lack of a result, whatever the dispatch says of failures (D-37)', () => {
    const onFailure = { onFailure: 'transition' } as const
    const job = waitingJob(dispatch({ retry }, toFailure, onFailure), { resultTimeoutMs: 9_000 })
    expect(after(job, timerFired(T0 + 9_000))).toMatchObject({
      status: 'failed',
      state: 'start',
      error: {
        code: 'TIMEOUT_ERROR',
        message: expect.stringContaining('result deadline') as string,
      },
    })
    const own = waitingJob(dispatch({ retry, resultTimeoutMs: 9_000 }, toFailure, onFailure))
    expect(after(own, timerFired(T0 + 9_000))).toMatchObject({ state: 'next', status: 'running' })
  })

  it('end the job for lack of a worker, also out of a fan-out (D-37)', () => {
    const job = waitingJob(fanOut({ a: {}, b: {} }), { dispatchTimeoutMs: 5_000 })
    expect(after(job, timerFired(T0 + 5_000))).toMatchObject({
      status: 'failed',
      error: { code: 'TIMEOUT_ERROR', message: expect.stringContaining('no worker') as string },
    })
  })

  it('are met for all branches by the first pick-up of one (D-27)', () => {
    const forEver = { dispatchTimeoutMs: null }
    const action = fanOut({ a: forEver, b: forEver, c: { dispatchTimeoutMs: 7_000 } })
    const job = waitingJob(action, { dispatchTimeoutMs: 5_000 })
    const taken = after(job, taskClaimed(branchTask(job, 'a'), 'w', T0 + 1_000))
    const deadlines = ['b', 'c'].map((name) => runOf(taken, name).phase)
    expect(deadlines).toEqual([
      { kind: 'offered', dispatchDeadlineAt: null },
      { kind: 'offered', dispatchDeadlineAt: T0 + 7_000 },
    ])
  })
})
