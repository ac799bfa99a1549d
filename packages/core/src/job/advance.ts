/**
 * The only code that changes a job.
 *
 * J1 Same job and event, same answer: no clock, chance or I/O in here; events carry both.
 * J2 A job that has ended never changes, but for a quarantined one that an operator works on.
 * J3 A live job has exactly one wait, so it can always go on, time out or be cancelled.
 * J4 A result counts once, and only from the worker that holds the live attempt.
 * J5 Leaving a wait clears its deadline, withdraws its step or tasks and cancels its child.
 * J6 Every change of state leaves one history record.
 * J7 Every end of a child tells its parent.
 * J8 The version grows by one with each change.
 * J9 No secret enters a record or an error.
 */
import { InternalError } from '@avtomatika/protocol'
import { ignored, type Decision } from './decision.ts'
import type { JobEvent } from './event.ts'
import type { Job } from './job.ts'
import { onApprovalDecided } from './on-approval.ts'
import { onCancelRequested } from './on-cancel.ts'
import { onChildEnded } from './on-child.ts'
import { onCreated } from './on-created.ts'
import { onEventReceived, onWorkerEvent } from './on-event.ts'
import { onDiscardRequested, onRetryRequested } from './on-quarantine.ts'
import { onRearmRequested } from './on-rearm.ts'
import { onStepDeferred, onStepFailed, onStepSucceeded } from './on-step.ts'
import { onTaskClaimed, onTaskLost, onTaskProgress, onTaskResult } from './on-task.ts'
import { onTimerFired } from './on-timer.ts'
import type { Rules } from './rules.ts'
import { unreachable } from './unreachable.ts'

/**
 * Decides what an event does to a job.
 *
 * @param job - the present document; `undefined` only for `created`.
 * @throws InternalError `INTERNAL` when a job is created twice in memory; callers create by id once.
 */
export function advance(job: Job | undefined, event: JobEvent, rules: Rules): Decision {
  if (event.kind === 'created') {
    if (job === undefined) return onCreated(event)
    throw new InternalError('INTERNAL', { message: `Job ${job.id} was created a second time.` })
  }
  if (job === undefined) return ignored('job_not_found')
  switch (event.kind) {
    case 'step_succeeded':
      return onStepSucceeded(job, event, rules)
    case 'step_failed':
      return onStepFailed(job, event, rules)
    case 'step_deferred':
      return onStepDeferred(job, event)
    case 'task_claimed':
      return onTaskClaimed(job, event)
    case 'task_progress':
      return onTaskProgress(job, event)
    case 'task_result':
      return onTaskResult(job, event, rules)
    case 'task_lost':
      return onTaskLost(job, event, rules)
    case 'worker_event':
      return onWorkerEvent(job, event, rules)
    case 'event_received':
      return onEventReceived(job, event, rules)
    case 'approval_decided':
      return onApprovalDecided(job, event, rules)
    case 'child_ended':
      return onChildEnded(job, event, rules)
    case 'timer_fired':
      return onTimerFired(job, event, rules)
    case 'cancel_requested':
      return onCancelRequested(job, event)
    case 'retry_requested':
      return onRetryRequested(job, event, rules)
    case 'discard_requested':
      return onDiscardRequested(job, event)
    case 'rearm_requested':
      return onRearmRequested(job, event)
    default:
      return unreachable(event)
  }
}
