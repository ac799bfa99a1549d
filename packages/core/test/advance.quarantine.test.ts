/** Quarantine is a place to work in: `retry` from the failed step, with other data, or `discard`. */
import { describe, expect, it } from 'vitest'
import type { JobEvent } from '../src/job/event.ts'
import type { Job } from '../src/job/job.ts'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  afterBy,
  APPROVAL_1,
  approvalDecided,
  cancelRequested,
  change,
  childEnded,
  decide,
  deeds,
  discardRequested,
  dispatch,
  eventReceived,
  failedWith,
  fanOut,
  messagesOf,
  quarantinedJob,
  readyJob,
  records,
  retryRequested,
  RULES,
  stepFailed,
  stepSucceeded,
  TASK_1,
  taskClaimed,
  taskResult,
  timerFired,
  waitingJob,
  WAITS,
} from './support/jobs.ts'

/** No handler is tried again. */
const STRICT = { ...RULES, retry: { ...RULES.retry, maxRetries: 0 } }

function stepOf({ wait }: Job): string {
  return wait?.for === 'step' ? wait.stepId : 'none'
}

/** Its handler threw, and no retry was left. */
function broken(job: Job): Job {
  return afterBy(STRICT, job, stepFailed(stepOf(job)))
}

describe('a quarantined job that is retried', () => {
  const rows: readonly { what: string; job: Job; state: string; stepId: string }[] = [
    { what: 'a handler threw', job: broken(readyJob()), state: 'start', stepId: 'j-s2' },
    { what: 'a task failed for good', job: quarantinedJob(), state: 'start', stepId: 'j-s3' },
    {
      what: 'an aggregator threw',
      job: broken(after(waitingJob(fanOut({ a: {} })), taskClaimed(TASK_1), taskResult(TASK_1))),
      state: 'collect',
      stepId: 'j-s4',
    },
    {
      what: 'the handler after a decision threw',
      job: broken(after(WAITS.approval, approvalDecided({ actor: 'ann' }))),
      state: 'pay',
      stepId: 'j-s4',
    },
    {
      what: 'the handler after a child threw',
      job: broken(after(WAITS.child, childEnded())),
      state: 'next',
      stepId: 'j-s4',
    },
    {
      what: 'the handler after an event threw',
      job: broken(after(WAITS.event, eventReceived())),
      state: 'next',
      stepId: 'j-s3',
    },
    {
      what: 'a branch failed for good, and fast',
      job: after(
        waitingJob(fanOut({ a: {}, b: {} }, { failFast: true })),
        taskClaimed(TASK_1),
        taskResult(TASK_1, failedWith('PERMANENT_ERROR')),
      ),
      state: 'start',
      stepId: 'j-s4',
    },
  ]
  it.each(rows)('runs the failed step again with what it was given, when $what', (row) => {
    expect(row.job.status).toBe('quarantined')
    const { job, effects } = change(row.job, retryRequested(null, T0 + 9))
    expect(job).toMatchObject({
      status: 'running',
      state: row.state,
      finishedAt: null,
      error: null,
      result: null,
      retryCount: 0,
      wait: { for: 'step', stepId: row.stepId },
    })
    expect(job.received).toEqual(row.job.received)
    expect(job.stateHistory).toEqual(row.job.stateHistory)
    expect(job.initialData).toEqual(row.job.initialData)
    expect(deeds(effects)).toEqual([{ kind: 'run_step', stepId: row.stepId }])
    expect(records(effects)).toMatchObject([{ type: 'job_retried', state: row.state, at: T0 + 9 }])
  })

  it('can do all that it could before: fail again, be retried again, and finish', () => {
    const again = broken(after(quarantinedJob(), retryRequested()))
    expect(again.status).toBe('quarantined')
    const third = after(again, retryRequested())
    const finish = { type: 'finish', outcome: 'finished' } as const
    const { job, effects } = change(third, stepSucceeded(stepOf(third), finish, T0 + 50))
    expect(job).toMatchObject({ status: 'finished', finishedAt: T0 + 50 })
    expect(records(effects).map(({ type }) => type)).toEqual(['job_finished'])
  })

  it('has all its retries again (D-28)', () => {
    let job = readyJob()
    for (let n = 1; n <= 3; n += 1) {
      job = after(job, stepFailed(`j-s${String(n)}`), timerFired(T0 + 10_000))
    }
    job = after(job, stepFailed('j-s4'))
    expect(job.status).toBe('quarantined')
    const retried = after(job, retryRequested(), stepFailed('j-s5'))
    expect(retried).toMatchObject({ status: 'awaiting_retry', retryCount: 1 })
  })

  it('takes patched data, which every later state sees', () => {
    const broken = quarantinedJob({ initialData: { n: 1, kept: true } })
    const { job, effects } = change(broken, retryRequested({ n: 2, more: ['x'] }))
    expect(job.initialData).toEqual({ n: 2, kept: true, more: ['x'] })
    expect(job.stateHistory).toMatchObject({ n: 2, more: ['x'] })
    expect(records(effects)).toMatchObject([{ details: { data: { n: 2, more: ['x'] } } }])
  })

  it('is not met by limits that passed while it lay there (D-27, D-37)', () => {
    const limits = { dispatchTimeoutMs: 100, resultTimeoutMs: 200, timeoutMs: 300 }
    const late = T0 + 1_000_000
    const job = after(
      quarantinedJob(limits),
      retryRequested(null, late),
      stepSucceeded('j-s3', dispatch({ dispatchTimeoutMs: null }), late),
    )
    expect(job).toMatchObject({ dispatchTimeoutMs: null, resultTimeoutMs: null, timeoutMs: null })
    expect(job.wait).toMatchObject({
      resultDeadlineAt: null,
      phase: { kind: 'offered', dispatchDeadlineAt: null },
    })
    const stale = { kind: 'ignored', reason: 'stale_task' }
    expect(decide(job, timerFired(late + 1e9, { key: 'job' }))).toEqual(stale)
  })

  it('does not hear of the attempts before (D-14)', () => {
    const retried = after(quarantinedJob(), retryRequested())
    const again = after(retried, stepSucceeded('j-s3', dispatch()))
    expect(again.wait).toMatchObject({ taskId: 'task-j-4-1', attempt: 1, retries: 0 })
    expect(decide(again, taskResult(TASK_1)).kind).toBe('repeated')
  })

  it('takes no second retry while it runs', () => {
    const retried = after(quarantinedJob(), retryRequested())
    expect(decide(retried, retryRequested())).toEqual({
      kind: 'refused',
      code: 'NOT_QUARANTINED',
      message: 'The job is not quarantined; its status is running.',
    })
  })

  it('can be cancelled like any other (D-16)', () => {
    expect(after(quarantinedJob(), retryRequested(), cancelRequested()).status).toBe('cancelled')
  })

  it('is refused data that do not fit', () => {
    const rules = { ...RULES, maxJobDataBytes: 100 }
    const event = retryRequested({ text: 'x'.repeat(200) })
    expect(decide(quarantinedJob(), event, rules)).toMatchObject({
      kind: 'refused',
      code: 'DATA_TOO_LARGE',
    })
  })

  it('calls the webhook at its next end, not at the retry', () => {
    const job = quarantinedJob({ webhookUrl: 'https://client.test/hook' })
    const { job: retried, effects } = change(job, retryRequested())
    expect(messagesOf(effects)).toEqual([])
    const ended = change(retried, cancelRequested())
    expect(messagesOf(ended.effects)).toMatchObject([{ kind: 'notify', event: 'job_cancelled' }])
  })
})

describe('a quarantined job that is discarded', () => {
  it('counts as failed, keeps its error, and is told nobody again', () => {
    const before = quarantinedJob({ webhookUrl: 'https://client.test/hook', parentId: 'p' })
    const { job, effects } = change(before, discardRequested(T0 + 70))
    expect(job).toEqual({
      ...before,
      status: 'failed',
      version: before.version + 1,
      updatedAt: T0 + 70,
    })
    expect(deeds(effects)).toEqual([])
    expect(records(effects)).toMatchObject([{ type: 'job_discarded', status: 'failed' }])
  })

  it('is final: no retry, no second discard', () => {
    const job = after(quarantinedJob(), discardRequested())
    for (const event of [retryRequested(), discardRequested()]) {
      expect(decide(job, event)).toMatchObject({ kind: 'refused', code: 'NOT_QUARANTINED' })
    }
  })
})

describe('a job that is not quarantined', () => {
  const endings: readonly { status: string; event: JobEvent }[] = [
    {
      status: 'finished',
      event: stepSucceeded('j-s1', { type: 'finish', outcome: 'finished' }),
    },
    { status: 'failed', event: stepFailed('j-s1', { then: 'fail' }) },
    { status: 'cancelled', event: cancelRequested() },
  ]
  it.each(endings)('but $status can neither be retried nor discarded (J2)', ({ status, event }) => {
    const job = after(readyJob(), event)
    for (const asked of [retryRequested(), discardRequested()]) {
      expect(decide(job, asked)).toEqual({
        kind: 'refused',
        code: 'NOT_QUARANTINED',
        message: `The job is not quarantined; its status is ${status}.`,
      })
    }
  })

  it('but waiting for a person keeps waiting', () => {
    expect(decide(WAITS.approval, retryRequested()).kind).toBe('refused')
    expect(WAITS.approval.wait).toMatchObject({ approvalId: APPROVAL_1 })
  })
})
