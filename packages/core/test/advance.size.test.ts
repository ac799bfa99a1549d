/** A job's document stays of a size that can be read and written: every entry of data is counted. */
import type { JsonObject } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import type { JobEvent } from '../src/job/event.ts'
import type { Job } from '../src/job/job.ts'
import type { Rules } from '../src/job/rules.ts'
import { T0 } from '../src/testing/index.ts'
import {
  afterBy,
  approvalDecided,
  change,
  CHILD_1,
  childEnded,
  claimedJob,
  decide,
  dispatch,
  eventReceived,
  fanOut,
  goTo,
  messagesOf,
  quarantinedJob,
  readyJob,
  records,
  retryRequested,
  RULES,
  stepSucceeded,
  TASK_1,
  taskClaimed,
  taskResult,
  waitForEvent,
  waitingJob,
  WAITS,
  workerEvent,
} from './support/jobs.ts'

const MAX = 1_000
const SMALL: Rules = { ...RULES, maxJobDataBytes: MAX, maxStoredEvents: 1_000 }

/** Data of exactly so many bytes of JSON: `{"…":"xxx"}`. */
function dataOf(bytes: number, key = 'd'): JsonObject {
  return { [key]: 'x'.repeat(bytes - key.length - 7) }
}

/** The job at the limit but for so many bytes. */
function withRoom(job: Job, bytes: number): Job {
  const used = afterBy(
    SMALL,
    job,
    eventReceived({ eventId: 'fill', name: 'fill', data: dataOf(500) }),
  )
  const rest = MAX - used.dataBytes - bytes
  return afterBy(SMALL, used, eventReceived({ eventId: 'rest', name: 'fill', data: dataOf(rest) }))
}

const quarantined = { status: 'quarantined', wait: null, error: { code: 'DATA_TOO_LARGE' } }
const failed = { status: 'failed', wait: null, error: { code: 'DATA_TOO_LARGE' } }
const eventTransitions = { half_way: { state: 'preview' } }
const claimedWithEvents = (): Job =>
  afterBy(SMALL, waitingJob(dispatch({}, undefined, { eventTransitions })), taskClaimed(TASK_1))

/** Everything that brings data into a document, and what becomes of data that are too large. */
const ENTRIES: readonly {
  entry: string
  job: Job
  event: (data: JsonObject) => JobEvent
  refusal: object
}[] = [
  {
    entry: 'the data of a result',
    job: claimedJob(),
    event: (data) => taskResult(TASK_1, { kind: 'completed', status: 'success', data }),
    refusal: quarantined,
  },
  {
    entry: 'the data of a failure without an error',
    job: claimedJob({}, { failure: { state: 'repair' } }),
    event: (data) => taskResult(TASK_1, { kind: 'failed', error: null, data }),
    refusal: quarantined,
  },
  {
    entry: 'the data of a branch',
    job: WAITS.branches,
    event: (data) => taskResult(TASK_1, { kind: 'completed', status: 'success', data }),
    refusal: quarantined,
  },
  {
    entry: 'the data of a failed branch',
    job: WAITS.branches,
    event: (data) => taskResult(TASK_1, { kind: 'failed', error: null, data }),
    refusal: quarantined,
  },
  {
    entry: 'the payload of a worker’s event that moves the job',
    job: claimedWithEvents(),
    event: (payload) => workerEvent({ payload }),
    refusal: quarantined,
  },
  {
    entry: 'the result of a child',
    job: WAITS.child,
    event: (result) => childEnded({ result }),
    refusal: quarantined,
  },
  {
    entry: 'what a handler adds to the context',
    job: readyJob(),
    event: (updates) => stepSucceeded('j-s1', goTo('next'), T0, { updates }),
    refusal: failed,
  },
  {
    entry: 'an event that is waited for',
    job: WAITS.event,
    event: (data) => eventReceived({ data }),
    refusal: { code: 'DATA_TOO_LARGE' },
  },
  {
    entry: 'an event that is stored',
    job: readyJob(),
    event: (data) => eventReceived({ data }),
    refusal: { code: 'DATA_TOO_LARGE' },
  },
  {
    entry: 'the data of a decision',
    job: WAITS.approval,
    event: (data) => approvalDecided({ data }),
    refusal: { code: 'DATA_TOO_LARGE' },
  },
]

/** A refusal of the sender, or the end of the job. */
function refusalOf(job: Job, event: JobEvent): object {
  const decision = decide(job, event, SMALL)
  return decision.kind === 'changed' ? decision.job : decision
}

describe('data on their way into a job', () => {
  it.each(ENTRIES)('fit to the last byte: $entry', ({ job, event }) => {
    const full = withRoom(job, 50)
    const { job: next } = change(full, event(dataOf(50)), SMALL)
    expect(next.wait).not.toBeNull()
    expect(next.dataBytes).toBe(MAX)
  })

  it.each(ENTRIES)('do not fit by one byte: $entry', ({ job, event, refusal }) => {
    const full = withRoom(job, 50)
    expect(refusalOf(full, event(dataOf(51)))).toMatchObject(refusal)
  })

  it.each(ENTRIES)('are refused with a way out: $entry', ({ job, event }) => {
    const refused = refusalOf(withRoom(job, 50), event(dataOf(400))) as
      Job | { readonly message: string }
    const message = 'message' in refused ? refused.message : refused.error?.message
    expect(message).toMatch(
      /^The job has \d+ bytes of data and cannot take 400 more; the limit is 1000 \(maxJobDataBytes\)\. Put large data into files and pass references to them\.$/,
    )
  })

  it('of a retry that are too large are refused, and the job stays in quarantine', () => {
    const decision = decide(quarantinedJob(), retryRequested(dataOf(1_100)), SMALL)
    expect(decision).toMatchObject({ kind: 'refused', code: 'DATA_TOO_LARGE' })
    const fits = change(quarantinedJob(), retryRequested(dataOf(300)), SMALL)
    expect(fits.job.dataBytes).toBe(quarantinedJob().dataBytes + 300)
  })

  it('are counted in bytes of UTF-8, not in characters', () => {
    const before = readyJob()
    const { job } = change(before, eventReceived({ data: { t: 'äöü€😀' } }))
    expect(job.dataBytes - before.dataBytes).toBe('{"t":""}'.length + 2 * 3 + 3 + 4)
  })

  it('are counted from the first document on', () => {
    expect(readyJob({ initialData: dataOf(300) }).dataBytes).toBe(300)
  })

  it('of a worker’s event that moves nothing are history only', () => {
    const job = withRoom(claimedJob(), 10)
    const { job: next } = change(job, workerEvent({ payload: dataOf(400) }), SMALL)
    expect(next.dataBytes).toBe(job.dataBytes)
  })

  it('that end the job are taken nowhere, and all that was out is withdrawn', () => {
    const job = withRoom(WAITS.branches, 50)
    const outcome = { kind: 'completed', status: 'success', data: dataOf(400) } as const
    const { job: ended, effects, answer } = change(job, taskResult(TASK_1, outcome), SMALL)
    expect(ended).toMatchObject({ stateHistory: {}, lastData: null })
    expect(effects.filter(({ kind }) => kind === 'withdraw_task')).toHaveLength(2)
    expect(records(effects, 'job_quarantined')).toHaveLength(1)
    expect(answer).toEqual({ taskId: TASK_1, transition: 'parallel_branch_accepted' })
  })

  it('of a child that end its parent do not cancel the child that has ended', () => {
    const job = withRoom(WAITS.child, 50)
    const { job: ended, effects } = change(job, childEnded({ result: dataOf(400) }), SMALL)
    expect(ended.stateHistory).not.toHaveProperty(`sub_job_${CHILD_1}_result`)
    expect(messagesOf(effects)).toEqual([])
  })
})

describe('the count of a job’s data', () => {
  it('makes room for what was used up or overwritten since', () => {
    let job = readyJob()
    // Ten events of 400 bytes each pass through an inbox of 1,000.
    for (let n = 0; n < 10; n += 1) {
      const stepId = job.wait?.for === 'step' ? job.wait.stepId : 'none'
      const taken = eventReceived({ eventId: `e${String(n)}`, data: dataOf(400) })
      job = afterBy(SMALL, job, taken, stepSucceeded(stepId, waitForEvent()))
      expect(job.received).toMatchObject({ kind: 'event' })
    }
  })

  it('counts once what stands in two places, so that a loop of equal size never ends', () => {
    let job = readyJob()
    for (let n = 0; n < 6; n += 1) {
      const stepId = job.wait?.for === 'step' ? job.wait.stepId : 'none'
      const loop = dispatch({}, { success: { state: 'start' } })
      job = afterBy(SMALL, job, stepSucceeded(stepId, loop, T0, { updates: dataOf(300, 'own') }))
      const taskId = job.wait?.for === 'task' ? job.wait.taskId : 'none'
      const outcome = { kind: 'completed', status: 'success', data: dataOf(300, 'out') } as const
      job = afterBy(SMALL, job, taskClaimed(taskId), taskResult(taskId, outcome))
      expect(job.status).toBe('running')
    }
  })

  it('does not lose sight of branches that are done (the fan-out stays bounded)', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    let job = waitingJob(fanOut(Object.fromEntries(names.map((name) => [name, {}]))))
    const statuses: string[] = []
    for (let n = 0; n < 6 && job.wait !== null; n += 1) {
      const taskId = `task-j-${String(n + 2)}-1`
      const outcome = { kind: 'completed', status: 'success', data: dataOf(300) } as const
      job = afterBy(SMALL, job, taskClaimed(taskId), taskResult(taskId, outcome))
      statuses.push(job.status)
    }
    const waiting = 'waiting_for_parallel_tasks'
    expect(statuses).toEqual([waiting, waiting, waiting, 'quarantined'])
  })

  it('does not lose sight of what the aggregator was given', () => {
    const outcome = { kind: 'completed', status: 'success', data: dataOf(900) } as const
    const collected = afterBy(
      SMALL,
      waitingJob(fanOut({ a: {} })),
      taskClaimed(TASK_1),
      taskResult(TASK_1, outcome),
    )
    expect(collected.state).toBe('collect')
    const decision = decide(collected, eventReceived({ data: dataOf(300) }), SMALL)
    expect(decision).toMatchObject({ kind: 'refused', code: 'DATA_TOO_LARGE' })
    // Once the aggregator has gone on, there is room again.
    const on = afterBy(SMALL, collected, stepSucceeded('j-s3', goTo('next')))
    expect(decide(on, eventReceived({ data: dataOf(300) }), SMALL).kind).toBe('changed')
  })

  it('refuses tasks whose params would not fit, alone or all together', () => {
    const large = { params: dataOf(600) }
    const many = { a: large, b: large, c: large }
    for (const action of [dispatch({ params: dataOf(3_000) }), fanOut(many)]) {
      const job = afterBy(SMALL, readyJob(), stepSucceeded('j-s1', action))
      expect(job).toMatchObject({ status: 'failed', error: { code: 'DATA_TOO_LARGE' }, wait: null })
    }
    // What they take up goes with their wait.
    const one = afterBy(SMALL, readyJob(), stepSucceeded('j-s1', fanOut({ a: large })))
    expect(one.dataBytes).toBe(readyJob().dataBytes)
  })
})
