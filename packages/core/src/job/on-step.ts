/** A handler returned, threw, or could not be run. */
import { changed, ignored, type Decision } from './decision.ts'
import { draftOf, record, type Draft } from './draft.ts'
import type {
  Action,
  JobEvent,
  StepDeferredEvent,
  StepFailedEvent,
  StepSucceededEvent,
} from './event.ts'
import type { Job } from './job.ts'
import { offerFirst } from './offer.ts'
import { backoffMs } from './retry.ts'
import type { Rules } from './rules.ts'
import { endJob, enterState, leaveWait } from './transition.ts'
import { unreachable } from './unreachable.ts'

type StepEvent = Extract<JobEvent, { readonly stepId: string }>

/** Whoever ran a step that the job no longer waits for comes too late (D-21, D-22). */
function isCurrent(job: Job, event: StepEvent): boolean {
  return job.wait?.for === 'step' && job.wait.stepId === event.stepId
}

export function onStepSucceeded(job: Job, event: StepSucceededEvent, rules: Rules): Decision {
  if (!isCurrent(job, event)) return ignored('stale_task')
  const draft = draftOf(job, event.at)
  applyAction(draft, event.action, rules)
  return changed(draft)
}

function applyAction(draft: Draft, action: Action, rules: Rules): void {
  switch (action.type) {
    case 'go_to':
      return enterState(draft, action.target, rules)
    case 'dispatch_task':
      leaveWait(draft)
      return offerFirst(draft, action.task, action.transitions)
    case 'finish':
      return endJob(draft, {
        status: action.outcome,
        ...(action.result !== undefined && { result: action.result }),
      })
    default:
      return unreachable(action)
  }
}

export function onStepFailed(job: Job, event: StepFailedEvent, rules: Rules): Decision {
  if (!isCurrent(job, event)) return ignored('stale_task')
  const draft = draftOf(job, event.at)
  const { error } = event
  record(draft, 'state_failed', { error, attempt: job.retryCount + 1 })
  if (event.then === 'fail') {
    endJob(draft, { status: 'failed', error })
  } else if (job.retryCount >= rules.retry.maxRetries) {
    endJob(draft, { status: 'quarantined', error })
  } else {
    leaveWait(draft)
    draft.job.retryCount += 1
    draft.job.error = error
    const pause = backoffMs(rules.retry.backoff, draft.job.retryCount, event.chance)
    waitForRetry(draft, event.at + pause)
  }
  return changed(draft)
}

export function onStepDeferred(job: Job, event: StepDeferredEvent): Decision {
  if (!isCurrent(job, event)) return ignored('stale_task')
  const draft = draftOf(job, event.at)
  leaveWait(draft)
  // A wait for a blueprint can last for days: only its first round is worth a history row.
  if (job.error?.code !== event.reason.code) {
    record(draft, 'state_deferred', { error: event.reason })
  }
  draft.job.error = event.reason
  waitForRetry(draft, event.until)
  return changed(draft)
}

function waitForRetry({ job, effects }: Draft, until: number): void {
  job.status = 'awaiting_retry'
  job.wait = { for: 'retry', until }
  effects.push({ kind: 'set_deadline', key: 'wait', at: until })
}
