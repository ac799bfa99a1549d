/** Jobs that run other blueprints: `runBlueprint`, and every way in which a child can end. */
import { describe, expect, it } from 'vitest'
import type { JobEvent } from '../src/job/event.ts'
import type { Job } from '../src/job/job.ts'
import type { ChildEndedMessage } from '../src/job/message.ts'
import type { ChildReport } from '../src/job/wait.ts'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  cancelRequested,
  change,
  childEnded,
  CHILD_1,
  decide,
  deeds,
  dispatch,
  errorWith,
  failedWith,
  goTo,
  messagesOf,
  readyJob,
  records,
  retryRequested,
  RULES,
  runChild,
  stepFailed,
  stepSucceeded,
  TASK_1,
  taskClaimed,
  taskResult,
  timerFired,
  waitingJob,
  WAITS,
} from './support/jobs.ts'

describe('a handler that runs a blueprint', () => {
  it('starts the child in the same change, with its parent’s owner and tracing (D-11, D-36)', () => {
    const parent = readyJob({
      webhookUrl: 'https://client.test/hook',
      owner: { clientId: 'client-7', plan: 'gold', params: { region: 'eu' } },
      metadata: { own: true },
      depth: 2,
    })
    const action = runChild(undefined, {
      dispatchTimeoutMs: 100,
      resultTimeoutMs: 200,
      timeoutMs: 300,
    })
    const { job, effects } = change(parent, stepSucceeded('j-s1', action))
    expect(job).toMatchObject({ status: 'waiting_for_sub_job', state: 'start', retryCount: 0 })
    expect(job.wait).toEqual({
      for: 'child',
      childId: CHILD_1,
      blueprint: 'invoice',
      transitions: { success: { state: 'next' }, failure: { state: 'repair' } },
    })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_step', stepId: 'j-s1' },
      {
        kind: 'send',
        message: {
          kind: 'start_child',
          messageId: 'j:2:1',
          from: 'j',
          start: { state: 'begin' },
          job: {
            id: CHILD_1,
            blueprint: { name: 'invoice', version: '2', hash: 'h2' },
            initialData: { total: 300 },
            owner: { clientId: 'client-7', plan: 'gold', params: { region: 'eu' } },
            tracing: { traceparent: '00-aa-bb-01' },
            metadata: {},
            // The parent's end is told to the client; each child's would be noise.
            webhookUrl: null,
            parentId: 'j',
            depth: 3,
            dispatchTimeoutMs: 100,
            resultTimeoutMs: 200,
            timeoutMs: 300,
          },
        },
      },
    ])
    expect(records(effects)).toMatchObject([
      { type: 'child_started', details: { childId: CHILD_1, blueprint: 'invoice' } },
    ])
  })

  it('gives every child an id of its own', () => {
    const job = after(WAITS.child, childEnded(), stepSucceeded('j-s3', runChild()))
    expect(job.wait).toMatchObject({ for: 'child', childId: 'j-c4' })
  })

  it('fails beyond the depth limit, with a hint, and starts nothing', () => {
    const rules = { ...RULES, maxDepth: 3 }
    const atLimit = change(readyJob({ depth: 2 }), stepSucceeded('j-s1', runChild()), rules)
    expect(atLimit.job.wait?.for).toBe('child')
    const { job, effects } = change(
      readyJob({ depth: 3 }),
      stepSucceeded('j-s1', runChild()),
      rules,
    )
    expect(job).toMatchObject({
      status: 'failed',
      error: {
        code: 'TOO_DEEP',
        message:
          "Blueprint 'invoice' would run at depth 4; the limit is 3 (maxDepth). Does a blueprint run itself?",
      },
    })
    expect(messagesOf(effects)).toEqual([])
    expect(records(effects).map(({ type }) => type)).toEqual(['job_failed'])
  })
})

/** Each way a child can end, as it reports it. */
const ENDINGS: readonly (Pick<ChildReport, 'status' | 'outcome' | 'error'> & { how: string })[] = [
  { how: 'finished', status: 'finished', outcome: 'success', error: null },
  { how: 'failed', status: 'failed', outcome: 'failure', error: errorWith('E', 'broke') },
  { how: 'failed by its end state', status: 'failed', outcome: 'failure', error: null },
  { how: 'quarantined', status: 'quarantined', outcome: 'failure', error: errorWith('P') },
  { how: 'cancelled', status: 'cancelled', outcome: 'failure', error: errorWith('JOB_CANCELLED') },
  { how: 'timed out', status: 'failed', outcome: 'failure', error: errorWith('TIMEOUT_ERROR') },
]

describe('a child that has ended', () => {
  it.each(ENDINGS)(
    '$how resumes its parent, with outcome, state, result and error (D-17, D-18)',
    ({ status, outcome, error }) => {
      const event = childEnded({ status, outcome, error }, T0 + 5)
      const { job, effects } = change(WAITS.child, event)
      const state = outcome === 'success' ? 'next' : 'repair'
      expect(job).toMatchObject({ status: 'running', state, error: null })
      expect(job.received).toEqual({
        kind: 'child',
        child: { jobId: CHILD_1, status, outcome, finalState: 'sent', result: { no: 7 }, error },
      })
      expect(job.stateHistory).toEqual({
        [`sub_job_${CHILD_1}_result`]: {
          outcome,
          final_state: 'sent',
          error_message: error?.message ?? null,
        },
      })
      expect(deeds(effects)).toEqual([{ kind: 'run_step', stepId: 'j-s3' }])
      expect(records(effects)).toMatchObject([
        {
          type: 'child_finished',
          details: { childId: CHILD_1, outcome, status, finalState: 'sent' },
        },
        { type: 'state_finished', previousState: 'start', nextState: state },
      ])
    },
  )

  it.each(ENDINGS)('$how resumes its parent once only (D-17)', ({ status, outcome, error }) => {
    const event = childEnded({ status, outcome, error })
    const job = after(WAITS.child, event)
    expect(decide(job, event)).toEqual({ kind: 'ignored', reason: 'stale_task' })
    const next = after(job, stepSucceeded('j-s3', runChild()))
    expect(decide(next, event)).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })

  const specific = ['finished', 'failed', 'quarantined', 'cancelled']
  it.each(specific)('as %s follows that transition before that of its outcome', (status) => {
    const transitions = {
      success: { state: 'general' },
      failure: { state: 'general' },
      [status]: { state: 'special' },
    }
    const parent = waitingJob(runChild(transitions))
    for (const ending of ENDINGS) {
      const { outcome, error } = ending
      const job = after(parent, childEnded({ status: ending.status, outcome, error }))
      expect(job.state).toBe(ending.status === status ? 'special' : 'general')
    }
  })

  it.each(ENDINGS)(
    '$how without a transition fails its parent, and says why (D-19)',
    ({ status, outcome, error }) => {
      const parent = waitingJob(runChild({}))
      const { job, effects } = change(parent, childEnded({ status, outcome, error }))
      const why = error === null ? '' : `: ${error.message}`
      const message = `The child job ${CHILD_1} of blueprint 'invoice' ended as ${status}, for which no transition is declared${why}`
      expect(job).toMatchObject({
        status: 'failed',
        state: 'start',
        error: { code: 'CHILD_FAILED', message },
      })
      // There is no child to cancel any more.
      expect(messagesOf(effects)).toEqual([])
      expect(records(effects).map(({ type }) => type)).toEqual(['child_finished', 'job_failed'])
    },
  )

  it.each(['constructor', '__proto__', 'toString'])(
    'with the odd status %s follows its outcome, not what every object inherits',
    (status) => {
      const job = after(WAITS.child, childEnded({ status, outcome: 'failure' }))
      expect(job.state).toBe('repair')
    },
  )

  it('may end its parent with its own end', () => {
    const parent = waitingJob(runChild({ success: { state: 'end', end: 'finished' } }))
    const { job, effects } = change(parent, childEnded())
    expect(job).toMatchObject({ status: 'finished', state: 'end' })
    expect(messagesOf(effects)).toEqual([])
  })

  it('changes nothing for a parent that has ended (D-16)', () => {
    const ended = after(WAITS.child, cancelRequested())
    expect(decide(ended, childEnded())).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })
})

describe('a parent that ends while it waits', () => {
  const endings: readonly { how: string; event: JobEvent; status: string }[] = [
    { how: 'a cancellation', event: cancelRequested(T0 + 3), status: 'cancelled' },
    { how: 'its own deadline', event: timerFired(T0 + 90, { key: 'job' }), status: 'failed' },
  ]
  it.each(endings)('by $how cancels its child (D-16, D-18)', ({ event, status }) => {
    const parent = waitingJob(runChild(), { timeoutMs: 90 })
    const { job, effects } = change(parent, event)
    expect(job.status).toBe(status)
    expect(messagesOf(effects)).toEqual([
      {
        kind: 'cancel_job',
        messageId: 'j:3:1',
        from: 'j',
        to: CHILD_1,
        reason: `Its parent job j ended as ${status}.`,
      },
    ])
  })
})

/** Everything that ends a job whose parent waits for it. */
const finish = { type: 'finish', outcome: 'finished', result: { no: 7 } } as const
const CHILD = { id: 'c', parentId: 'j', depth: 1 }
const TASK_C = TASK_1.replace('-j-', '-c-')
const claimedChild = (): Job =>
  after(readyJob(CHILD), stepSucceeded('c-s1', dispatch()), taskClaimed(TASK_C))
const failedAs = (code: string): JobEvent => taskResult(TASK_C, failedWith(code))

const CAUSES: readonly { cause: string; job: Job; event: JobEvent; report: object }[] = [
  {
    cause: 'finishing',
    job: readyJob(CHILD),
    event: stepSucceeded('c-s1', finish),
    report: { outcome: 'success', status: 'finished', result: { no: 7 }, error: null },
  },
  {
    cause: 'an end state without a handler',
    job: readyJob(CHILD),
    event: stepSucceeded('c-s1', { type: 'go_to', target: { state: 'end', end: 'finished' } }),
    report: { outcome: 'success', status: 'finished', finalState: 'end' },
  },
  {
    cause: 'a failed end state',
    job: readyJob(CHILD),
    event: stepSucceeded('c-s1', { type: 'go_to', target: { state: 'failed', end: 'failed' } }),
    report: { outcome: 'failure', status: 'failed', finalState: 'failed', error: null },
  },
  {
    cause: 'a handler without an action (D-9)',
    job: readyJob(CHILD),
    event: stepFailed('c-s1', { then: 'fail' }),
    report: { outcome: 'failure', status: 'failed' },
  },
  {
    cause: 'a permanent error',
    job: claimedChild(),
    event: failedAs('PERMANENT_ERROR'),
    report: { outcome: 'failure', status: 'quarantined', error: { code: 'PERMANENT_ERROR' } },
  },
  {
    cause: 'invalid input',
    job: claimedChild(),
    event: failedAs('INVALID_INPUT_ERROR'),
    report: { outcome: 'failure', status: 'failed', error: { code: 'INVALID_INPUT_ERROR' } },
  },
  {
    cause: 'an unhandled status',
    job: claimedChild(),
    event: taskResult(TASK_C, { kind: 'completed', status: 'odd', data: {} }),
    report: { outcome: 'failure', status: 'failed', error: { code: 'UNHANDLED_STATUS' } },
  },
  {
    cause: 'a worker that says cancelled',
    job: claimedChild(),
    event: taskResult(TASK_C, { kind: 'cancelled' }),
    report: { outcome: 'failure', status: 'cancelled' },
  },
  {
    cause: 'the dispatch timeout',
    job: after(readyJob(CHILD), stepSucceeded('c-s1', dispatch())),
    event: timerFired(T0 + 10_000),
    report: { outcome: 'failure', status: 'failed', error: { code: 'TIMEOUT_ERROR' } },
  },
  {
    cause: 'the job’s deadline',
    job: readyJob({ ...CHILD, timeoutMs: 1_000 }),
    event: timerFired(T0 + 1_000, { key: 'job' }),
    report: { outcome: 'failure', status: 'failed', error: { code: 'TIMEOUT_ERROR' } },
  },
  {
    cause: 'a cancellation',
    job: readyJob(CHILD),
    event: cancelRequested(),
    report: { outcome: 'failure', status: 'cancelled', error: { code: 'JOB_CANCELLED' } },
  },
]

describe('the end of a child', () => {
  it.each(CAUSES)('by $cause is told to its parent, once (D-17, D-18, D-31)', (row) => {
    const { job, effects } = change(row.job, row.event)
    const reports = messagesOf(effects).filter(
      (message): message is ChildEndedMessage => message.kind === 'child_ended',
    )
    expect(reports).toHaveLength(1)
    expect(reports[0]).toMatchObject({
      from: 'c',
      to: 'j',
      report: { jobId: 'c', finalState: job.state, result: job.result, error: job.error },
    })
    expect(reports[0]?.report).toMatchObject(row.report)
  })

  it('by the loop guard and by spent retries too (D-18, D-31)', () => {
    const rules = { ...RULES, maxTransitions: 0 }
    const looped = change(readyJob(CHILD), stepSucceeded('c-s1', goTo('a')), rules)
    expect(messagesOf(looped.effects)).toMatchObject([
      {
        kind: 'child_ended',
        report: { status: 'failed', error: { code: 'TOO_MANY_TRANSITIONS' } },
      },
    ])
    const once = { ...RULES, retry: { ...RULES.retry, maxRetries: 0 } }
    const spent = change(readyJob(CHILD), stepFailed('c-s1'), once)
    expect(messagesOf(spent.effects)).toMatchObject([
      { kind: 'child_ended', report: { status: 'quarantined' } },
    ])
  })

  it('that an operator brings about after a quarantine reaches a parent that went on (D-17)', () => {
    const quarantined = after(claimedChild(), failedAs('PERMANENT_ERROR'))
    const retried = after(quarantined, retryRequested())
    const { effects } = change(retried, stepSucceeded('c-s3', finish))
    const report = messagesOf(effects).find((message) => message.kind === 'child_ended')
    expect(report).toMatchObject({ to: 'j', report: { status: 'finished' } })
    // The parent resumed when the child was quarantined; this second report changes nothing.
    const parent = after(WAITS.child, childEnded({ status: 'quarantined', outcome: 'failure' }))
    expect(decide(parent, childEnded())).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })
})
