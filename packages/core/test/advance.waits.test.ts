/** Every event in every wait: what changes the job and what comes too late. */
import { describe, expect, it } from 'vitest'
import { advance } from '../src/job/advance.ts'
import type { Decision } from '../src/job/decision.ts'
import type { JobEvent } from '../src/job/event.ts'
import {
  approvalDecided,
  cancelRequested,
  childEnded,
  created,
  decide,
  discardRequested,
  EVENT_KINDS,
  eventReceived,
  goTo,
  LIVE_WAITS,
  readyJob,
  retryRequested,
  RULES,
  stepDeferred,
  stepFailed,
  stepSucceeded,
  TASK_1,
  taskClaimed,
  taskLost,
  taskProgress,
  taskResult,
  timerFired,
  WAITS,
  workerEvent,
} from './support/jobs.ts'
import { T0 } from '../src/testing/index.ts'

type WaitName = keyof typeof WAITS
const WAIT_NAMES = [...LIVE_WAITS, 'quarantined', 'ended'] as const satisfies readonly WaitName[]

/** An hour later every deadline has passed. */
const LATER = T0 + 3_600_000

const EVENTS = {
  step_succeeded: stepSucceeded('j-s1', goTo('next')),
  step_failed: stepFailed('j-s1'),
  step_deferred: stepDeferred('j-s1'),
  task_claimed: taskClaimed(TASK_1),
  task_progress: taskProgress(TASK_1),
  task_result: taskResult(TASK_1),
  task_lost: taskLost(TASK_1),
  worker_event: workerEvent(),
  event_received: eventReceived(),
  approval_decided: approvalDecided(),
  child_ended: childEnded(),
  timer_fired: timerFired(LATER),
  cancel_requested: cancelRequested(),
  retry_requested: retryRequested(),
  discard_requested: discardRequested(),
} as const satisfies Record<EventKind, JobEvent>
type EventKind = (typeof EVENT_KINDS)[number]

/** A column for each wait: the same answer in all but those that are named. */
function row(usual: string, exceptions: Partial<Record<WaitName, string>>): WaitAnswers {
  const answers: WaitAnswers = {}
  for (const wait of WAIT_NAMES) answers[wait] = exceptions[wait] ?? usual
  return answers
}
type WaitAnswers = Partial<Record<WaitName, string>>

const X = 'changed'
const S = 'stale_task'
const ENDED = { quarantined: 'job_already_terminated', ended: 'job_already_terminated' }
const TABLE: Record<EventKind, WaitAnswers> = {
  // D-21, D-22: only the step that the job waits for may move it.
  step_succeeded: row(S, { step: X }),
  step_failed: row(S, { step: X }),
  step_deferred: row(S, { step: X }),
  // The first task of the branches is with a worker.
  task_claimed: row(S, { offered: X }),
  task_progress: row(S, { claimed: X, branches: X }),
  // D-13: a job that has answered this very task answers the same again.
  task_result: row(S, {
    claimed: X,
    branches: X,
    backing_off: 'repeated',
    quarantined: 'repeated',
    ended: 'job_cancelled',
  }),
  // D-12: a task may be lost before its job heard that it was claimed.
  task_lost: row(S, { offered: X, claimed: X, branches: X }),
  worker_event: row(S, { claimed: X, branches: X }),
  // No live job loses an event; one that has ended says so.
  event_received: row(X, { quarantined: 'JOB_ENDED', ended: 'JOB_ENDED' }),
  // D-33: only a job that waits for a person can be decided.
  approval_decided: row('NOT_APPROVABLE', { approval: X }),
  // D-17: a child resumes the parent that waits for it, and no other.
  child_ended: row(S, { child: X }),
  timer_fired: row(X, { step: S, child: S, quarantined: S, ended: S }),
  // D-16: cancel works in every live wait; a job that has ended stays as it is.
  cancel_requested: row(X, ENDED),
  retry_requested: row('NOT_QUARANTINED', { quarantined: X }),
  discard_requested: row('NOT_QUARANTINED', { quarantined: X }),
}

function answerOf(decision: Decision): string {
  if (decision.kind === 'ignored') return decision.reason
  return decision.kind === 'refused' ? decision.code : decision.kind
}

describe('advance', () => {
  for (const kind of EVENT_KINDS) {
    for (const wait of WAIT_NAMES) {
      const expected = TABLE[kind][wait]
      it(`${kind} in wait ${wait}: ${String(expected)}`, () => {
        expect(answerOf(decide(WAITS[wait], EVENTS[kind]))).toBe(expected)
      })
    }
  }

  const early = WAIT_NAMES.map((wait) => ({ wait, event: timerFired(T0) }))
  it.each(early)(
    'a timer before its time changes nothing in wait $wait (D-27)',
    ({ wait, event }) => {
      expect(decide(WAITS[wait], event)).toEqual({ kind: 'ignored', reason: 'stale_task' })
    },
  )

  const forged = EVENT_KINDS.filter((kind) => /^(task|step|worker)_/.test(kind))
  it.each(forged)('%s for another id than the awaited changes nothing (D-14, D-21)', (kind) => {
    const event = { ...EVENTS[kind], taskId: 'task-j-9-1', stepId: 'j-s9' }
    for (const wait of WAIT_NAMES) {
      expect(decide(WAITS[wait], event)).toMatchObject({ kind: 'ignored' })
    }
  })

  it('the end of another child, and a decision on another request, change nothing (D-17, D-33)', () => {
    const stale = { kind: 'ignored', reason: 'stale_task' }
    expect(decide(WAITS.child, childEnded({ jobId: 'j-c1' }))).toEqual(stale)
    const decision = decide(WAITS.approval, approvalDecided({}, { approvalId: 'j-a1' }))
    expect(decision).toMatchObject({ kind: 'refused', code: 'NOT_APPROVABLE' })
  })

  it.each(WAIT_NAMES)('a job deadline that was not set ends nothing in wait %s', (wait) => {
    const decision = decide(WAITS[wait], timerFired(LATER, { key: 'job' }))
    expect(decision).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })

  it.each(WAIT_NAMES)('a job in wait %s survives JSON', (wait) => {
    expect(JSON.parse(JSON.stringify(WAITS[wait]))).toStrictEqual(WAITS[wait])
  })

  it.each(EVENT_KINDS)('%s for a job that does not exist is ignored', (kind) => {
    const decision = decide(undefined, EVENTS[kind])
    expect(decision).toEqual({ kind: 'ignored', reason: 'job_not_found' })
  })

  it('refuses to create a job twice', () => {
    const again = (): unknown => advance(readyJob(), created(), RULES)
    expect(again).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
  })

  it('creates a pending job in its start state with its first step ready', () => {
    expect(decide(undefined, created())).toMatchObject({
      kind: 'changed',
      job: {
        version: 1,
        status: 'pending',
        state: 'start',
        initialData: { n: 1 },
        createdAt: T0,
        wait: { for: 'step', stepId: 'j-s1' },
      },
      effects: [
        { kind: 'run_step', stepId: 'j-s1' },
        { kind: 'record', record: { eventId: 'j:1:0', type: 'job_created', at: T0 } },
      ],
    })
  })
})
