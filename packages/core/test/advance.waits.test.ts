/** Every event in every wait: what changes the job and what comes too late. */
import { describe, expect, it } from 'vitest'
import { advance } from '../src/job/advance.ts'
import {
  cancelRequested,
  created,
  decide,
  goTo,
  readyJob,
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
} from './support/jobs.ts'
import { T0 } from '../src/testing/index.ts'

type WaitName = keyof typeof WAITS
const WAIT_NAMES = ['step', 'retry', 'offered', 'claimed', 'backing_off', 'ended'] as const

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
  timer_fired: timerFired(LATER),
  cancel_requested: cancelRequested(),
} as const

const X = 'changed'
const S = 'stale_task'
const TABLE: Record<keyof typeof EVENTS, Record<WaitName, string>> = {
  // D-21, D-22: only the step that the job waits for may move it.
  step_succeeded: { step: X, retry: S, offered: S, claimed: S, backing_off: S, ended: S },
  step_failed: { step: X, retry: S, offered: S, claimed: S, backing_off: S, ended: S },
  step_deferred: { step: X, retry: S, offered: S, claimed: S, backing_off: S, ended: S },
  task_claimed: { step: S, retry: S, offered: X, claimed: S, backing_off: S, ended: S },
  task_progress: { step: S, retry: S, offered: S, claimed: X, backing_off: S, ended: S },
  // D-13: the job that backs off has answered this very task; it answers the same again.
  task_result: {
    step: S,
    retry: S,
    offered: S,
    claimed: X,
    backing_off: 'repeated',
    ended: 'job_cancelled',
  },
  // D-12: a task may be lost before its job heard that it was claimed.
  task_lost: { step: S, retry: S, offered: X, claimed: X, backing_off: S, ended: S },
  timer_fired: { step: S, retry: X, offered: X, claimed: X, backing_off: X, ended: S },
  // D-16: a job that has ended stays as it is.
  cancel_requested: {
    step: X,
    retry: X,
    offered: X,
    claimed: X,
    backing_off: X,
    ended: 'job_already_terminated',
  },
}

const EVENT_KINDS = [
  'step_succeeded',
  'step_failed',
  'step_deferred',
  'task_claimed',
  'task_progress',
  'task_result',
  'task_lost',
  'timer_fired',
  'cancel_requested',
] as const

describe('advance', () => {
  for (const kind of EVENT_KINDS) {
    for (const wait of WAIT_NAMES) {
      const expected = TABLE[kind][wait]
      it(`${kind} in wait ${wait}: ${expected}`, () => {
        const decision = decide(WAITS[wait], EVENTS[kind])
        const answer = decision.kind === 'ignored' ? decision.reason : decision.kind
        expect(answer).toBe(expected)
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

  const forged = EVENT_KINDS.filter((kind) => kind.startsWith('task_') || kind.startsWith('step_'))
  it.each(forged)('%s for another id than the awaited changes nothing (D-14, D-21)', (kind) => {
    const event = { ...EVENTS[kind], taskId: 'task-j-9-1', stepId: 'j-s9' }
    for (const wait of WAIT_NAMES) {
      expect(decide(WAITS[wait], event)).toMatchObject({ kind: 'ignored' })
    }
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
        { kind: 'record', record: { eventId: 'j:1:0', type: 'job_created', at: T0 } },
        { kind: 'run_step', stepId: 'j-s1' },
      ],
    })
  })
})
