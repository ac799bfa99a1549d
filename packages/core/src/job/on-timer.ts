/** A deadline of the present wait has passed. */
import { changed, ignored, type Decision } from './decision.ts'
import { draftOf } from './draft.ts'
import type { TimerFiredEvent } from './event.ts'
import type { EpochMs, Job, TaskWait, Wait } from './job.ts'
import { offerAgain } from './offer.ts'
import { failTask } from './on-task.ts'
import type { Rules } from './rules.ts'
import { endJob, leaveWait, readyStep } from './transition.ts'
import { unreachable } from './unreachable.ts'

export function onTimerFired(job: Job, event: TimerFiredEvent, rules: Rules): Decision {
  const wait = job.wait
  // A timer of an earlier wait, or one that was moved, may still be on its way.
  if (wait === null || !isDue(wait, event.at)) return ignored('stale_task')
  if (wait.for === 'task') return onTaskTimer(job, wait, event, rules)
  const draft = draftOf(job, event.at)
  leaveWait(draft)
  draft.job.status = 'running'
  readyStep(draft)
  return changed(draft)
}

/** When the wait runs out; `null` if it does not. */
export function deadlineOf(wait: Wait): EpochMs | null {
  if (wait.for === 'step') return null
  if (wait.for === 'retry') return wait.until
  switch (wait.phase.kind) {
    case 'offered':
      return wait.phase.dispatchDeadlineAt
    case 'claimed':
      return wait.phase.deadlineAt
    case 'backing_off':
      return wait.phase.until
    default:
      return unreachable(wait.phase)
  }
}

function isDue(wait: Wait, at: EpochMs): boolean {
  const deadline = deadlineOf(wait)
  return deadline !== null && deadline <= at
}

function onTaskTimer(job: Job, wait: TaskWait, event: TimerFiredEvent, rules: Rules): Decision {
  const draft = draftOf(job, event.at)
  const tooLate = wait.resultDeadlineAt !== null && wait.resultDeadlineAt <= event.at
  if (tooLate) {
    endJob(draft, timedOut(wait, 'no result before the result deadline'))
  } else if (wait.phase.kind === 'offered') {
    endJob(draft, timedOut(wait, 'no worker took it in time (dispatch timeout)'))
  } else if (wait.phase.kind === 'backing_off') {
    leaveWait(draft)
    offerAgain(draft, wait)
  } else {
    const seconds = String(wait.spec.executionTimeoutMs / 1000)
    const message = `Worker ${wait.phase.workerId} gave no result within ${seconds} s.`
    failTask(
      draft,
      wait,
      { error: { code: 'TIMEOUT_ERROR', message }, chance: event.chance },
      rules,
    )
  }
  return changed(draft)
}

function timedOut(wait: TaskWait, why: string): { status: 'failed'; error: Job['error'] & object } {
  const message = `Task ${wait.spec.demand.type} timed out: ${why}.`
  return { status: 'failed', error: { code: 'TIMEOUT_ERROR', message } }
}
