/** A handler returned, threw, or could not be run. */
import { fanOut } from './branches.ts'
import { admit, merge } from './data.ts'
import { changed, ignored, type Decision } from './decision.ts'
import { draftOf, record, send, type Draft } from './draft.ts'
import type {
  Action,
  JobEvent,
  Remarks,
  StepDeferredEvent,
  StepFailedEvent,
  StepSucceededEvent,
} from './event.ts'
import type { Job } from './job.ts'
import { backoffMs } from './retry.ts'
import type { Rules } from './rules.ts'
import { beginApproval, beginChild, beginEventWait, beginSleep, beginTask } from './begin-wait.ts'
import { endJob, enterState, notify } from './transition.ts'
import { unreachable } from './unreachable.ts'

type StepEvent = Extract<JobEvent, { readonly stepId: string }>

/** Whoever ran a step that the job no longer waits for comes too late (D-21, D-22). */
function isCurrent(job: Job, event: StepEvent): boolean {
  return job.wait?.for === 'step' && job.wait.stepId === event.stepId
}

export function onStepSucceeded(job: Job, event: StepSucceededEvent, rules: Rules): Decision {
  if (!isCurrent(job, event)) return ignored('stale_task')
  const draft = draftOf(job, event.at)
  const { updates, sent } = event.remarks
  const tooLarge = updates === null ? null : admit(draft, updates, rules)
  if (tooLarge !== null) {
    endJob(draft, { status: 'failed', error: tooLarge })
    return changed(draft)
  }
  if (updates !== null) {
    merge(draft, updates)
    draft.job.initialData = { ...draft.job.initialData, ...updates }
  }
  sendAll(draft, sent)
  applyAction(draft, event.action, rules)
  return changed(draft)
}

function sendAll(draft: Draft, sent: Remarks['sent']): void {
  const { owner, webhookUrl } = draft.job
  for (const { name, data, to } of sent) {
    record(draft, 'event_sent', { details: { name, data, to } })
    if (to !== null) {
      send(draft, { kind: 'deliver_event', to, ownerId: owner.clientId, name, data })
    } else if (webhookUrl !== null) notify(draft, webhookUrl, `worker_event:${name}`)
  }
}

function applyAction(draft: Draft, action: Action, rules: Rules): void {
  switch (action.type) {
    case 'go_to':
      return enterState(draft, { target: action.target }, rules)
    case 'dispatch_task':
      return beginTask(draft, action, rules)
    case 'dispatch_parallel':
      return fanOut(draft, action, rules)
    case 'await_approval':
      return beginApproval(draft, action)
    case 'run_child':
      return beginChild(draft, action, rules)
    case 'sleep':
      return beginSleep(draft, action)
    case 'wait_for_event':
      return beginEventWait(draft, action, rules)
    case 'finish':
      return finish(draft, action, rules)
    default:
      return unreachable(action)
  }
}

function finish(draft: Draft, action: Extract<Action, { type: 'finish' }>, rules: Rules): void {
  const { outcome: status, result } = action
  if (result === undefined) return endJob(draft, { status })
  const tooLarge = admit(draft, result, rules)
  endJob(draft, tooLarge === null ? { status, result } : { status: 'failed', error: tooLarge })
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
  // A wait for a blueprint can last for days: only its first round is worth a history row.
  if (job.error?.code !== event.reason.code) {
    record(draft, 'state_deferred', { error: event.reason })
  }
  draft.job.error = event.reason
  waitForRetry(draft, event.until)
  return changed(draft)
}

function waitForRetry({ job }: Draft, until: number): void {
  job.status = 'awaiting_retry'
  job.wait = { for: 'retry', until }
}
