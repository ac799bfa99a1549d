/** A person decides: `awaitHumanApproval`. */
import { describe, expect, it } from 'vitest'
import type { Approval } from '../src/job/wait.ts'
import { T0 } from '../src/testing/index.ts'
import {
  after,
  APPROVAL_1,
  approvalDecided,
  awaitApproval,
  cancelRequested,
  change,
  decide,
  deeds,
  readyJob,
  records,
  retryingJob,
  RULES,
  stepFailed,
  stepSucceeded,
  timerFired,
  waitingJob,
  WAITS,
} from './support/jobs.ts'

describe('a request for approval', () => {
  it('waits for a person, with its question and its decisions in the history', () => {
    const { job, effects } = change(readyJob(), stepSucceeded('j-s1', awaitApproval(), T0 + 4))
    expect(job).toMatchObject({ status: 'waiting_for_human', state: 'start' })
    expect(job.wait).toEqual({
      for: 'approval',
      approvalId: APPROVAL_1,
      integration: 'telegram',
      message: 'Pay 300?',
      transitions: { approved: { state: 'pay' }, rejected: { state: 'refuse' } },
      deadlineAt: T0 + 5_004,
      onTimeout: null,
    })
    expect(deeds(effects)).toEqual([
      { kind: 'withdraw_step', stepId: 'j-s1' },
      { kind: 'set_deadline', key: 'wait', at: T0 + 5_004 },
    ])
    const details = {
      approvalId: APPROVAL_1,
      integration: 'telegram',
      message: 'Pay 300?',
      decisions: ['approved', 'rejected'],
    }
    expect(records(effects)).toMatchObject([{ type: 'approval_requested', details }])
  })

  it('without a timeout waits for as long as it takes', () => {
    const { job, effects } = change(
      readyJob(),
      stepSucceeded('j-s1', awaitApproval({ timeoutMs: null })),
    )
    expect(job.wait).toMatchObject({ deadlineAt: null })
    expect(deeds(effects)).toEqual([{ kind: 'withdraw_step', stepId: 'j-s1' }])
    expect(decide(job, timerFired(T0 + 1e12)).kind).toBe('ignored')
  })

  it('forgets the retries and the error of the handler that asked (D-28)', () => {
    const retried = after(retryingJob(), timerFired(T0 + 1_000))
    const job = after(retried, stepSucceeded('j-s2', awaitApproval()))
    expect(job).toMatchObject({ retryCount: 0, error: null })
  })
})

describe('a decision', () => {
  const decisions: readonly Omit<Approval, 'decidedAt'>[] = [
    { decision: 'approved', actor: null, comment: null, data: null },
    { decision: 'approved', actor: 'ann', comment: 'fine', data: { limit: 300 } },
    { decision: 'rejected', actor: 'bob', comment: null, data: null },
  ]
  it.each(decisions)(
    'moves the job and is kept with who, why and what: $decision by $actor (D-33)',
    (approval) => {
      const { job, effects } = change(WAITS.approval, approvalDecided(approval, { at: T0 + 8 }))
      const state = approval.decision === 'approved' ? 'pay' : 'refuse'
      expect(job).toMatchObject({ status: 'running', state, wait: { for: 'step' } })
      expect(job.received).toEqual({
        kind: 'approval',
        approval: { ...approval, decidedAt: T0 + 8 },
      })
      expect(deeds(effects)).toEqual([
        { kind: 'run_step', stepId: 'j-s3' },
        { kind: 'clear_deadline', key: 'wait' },
      ])
      expect(records(effects)).toMatchObject([
        { type: 'approval_decided', details: { approvalId: APPROVAL_1, ...approval } },
        { type: 'state_finished', previousState: 'start', nextState: state },
      ])
    },
  )

  it('does not touch the data of other steps; the next handler has it apart (D-82)', () => {
    const job = after(WAITS.approval, approvalDecided({ data: { n: 2 } }))
    expect(job).toMatchObject({ stateHistory: {}, initialData: { n: 1 } })
  })

  it('may be any word that its blueprint declares, and may end the job', () => {
    const transitions = { later: { state: 'end', end: 'failed' as const } }
    const waiting = waitingJob(awaitApproval({ transitions }))
    const job = after(waiting, approvalDecided({ decision: 'later' }))
    expect(job).toMatchObject({ status: 'failed', state: 'end', wait: null })
  })

  const undeclared = ['maybe', '', 'constructor', '__proto__', 'toString']
  it.each(undeclared)('of the undeclared word "%s" is refused and names the declared', (word) => {
    expect(decide(WAITS.approval, approvalDecided({ decision: word }))).toEqual({
      kind: 'refused',
      code: 'DECISION_INVALID',
      message: `Invalid decision '${word}' for this job; possible are: approved, rejected.`,
    })
  })

  const others = (
    ['step', 'retry', 'offered', 'claimed', 'branches', 'child', 'event', 'sleep', 'ended'] as const
  ).map((wait) => ({ wait }))
  it.each(others)('in wait $wait is refused, so that it cannot jump the job (D-33)', ({ wait }) => {
    expect(decide(WAITS[wait], approvalDecided({ decision: 'success' }))).toEqual({
      kind: 'refused',
      code: 'NOT_APPROVABLE',
      message: 'Job is not in a state that can be approved',
    })
  })

  it('that comes second is refused, whatever it says (D-33)', () => {
    const job = after(WAITS.approval, approvalDecided())
    for (const decision of ['approved', 'rejected']) {
      const again = decide(job, approvalDecided({ decision }))
      expect(again).toMatchObject({ kind: 'refused', code: 'NOT_APPROVABLE' })
    }
  })

  it('by a link signed for an earlier request does not decide the present one (D-33)', () => {
    const second = after(
      WAITS.approval,
      approvalDecided(),
      stepSucceeded('j-s3', awaitApproval({ transitions: { approved: { state: 'again' } } })),
    )
    expect(second.wait).toMatchObject({ approvalId: 'j-a4' })
    expect(decide(second, approvalDecided({}, { approvalId: APPROVAL_1 }))).toEqual({
      kind: 'refused',
      code: 'NOT_APPROVABLE',
      message: 'This link is for an earlier request, which was decided or has expired.',
    })
    expect(after(second, approvalDecided({}, { approvalId: 'j-a4' })).state).toBe('again')
  })

  it('with data beyond the limit is refused, and the job still waits', () => {
    const rules = { ...RULES, maxJobDataBytes: 100 }
    const event = approvalDecided({ data: { text: 'x'.repeat(200) } })
    expect(decide(WAITS.approval, event, rules)).toMatchObject({
      kind: 'refused',
      code: 'DATA_TOO_LARGE',
    })
  })
})

describe('an approval that nobody gives', () => {
  it('goes where the blueprint says', () => {
    const waiting = waitingJob(awaitApproval({ onTimeout: { state: 'escalate' } }))
    const { job, effects } = change(waiting, timerFired(T0 + 5_000))
    expect(job).toMatchObject({ status: 'running', state: 'escalate', received: null })
    expect(records(effects)).toMatchObject([
      { type: 'approval_expired', details: { approvalId: APPROVAL_1 } },
      { type: 'state_finished', nextState: 'escalate' },
    ])
  })

  it('fails the job when the blueprint says nothing (D-9)', () => {
    const { job, effects } = change(WAITS.approval, timerFired(T0 + 5_000))
    const message = 'Nobody decided in time: Pay 300?'
    expect(job).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT_ERROR', message } })
    expect(records(effects).map(({ type }) => type)).toEqual(['approval_expired', 'job_failed'])
  })

  it('can no longer be given', () => {
    const expired = after(WAITS.approval, timerFired(T0 + 5_000))
    expect(decide(expired, approvalDecided())).toMatchObject({ code: 'NOT_APPROVABLE' })
    const cancelled = after(WAITS.approval, cancelRequested())
    expect(decide(cancelled, approvalDecided())).toMatchObject({ code: 'NOT_APPROVABLE' })
  })
})

describe('the handler after a decision', () => {
  it('that throws is given the same decision again', () => {
    const job = after(WAITS.approval, approvalDecided({ actor: 'ann' }))
    const again = after(job, stepFailed('j-s3'), timerFired(T0 + 1_000))
    expect(again.received).toEqual(job.received)
    expect(again.wait).toEqual({ for: 'step', stepId: 'j-s4' })
  })

  it('leaves it behind for the state after it', () => {
    const decided = after(WAITS.approval, approvalDecided())
    const job = after(
      decided,
      stepSucceeded('j-s3', { type: 'go_to', target: { state: 'thanks' } }),
    )
    expect(job.received).toBeNull()
  })
})
