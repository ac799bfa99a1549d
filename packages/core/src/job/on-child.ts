/** A child job ended; its parent goes on, exactly once (D-17, D-18, D-19). */
import { admit, merge } from './data.ts'
import { changed, ignored, type Decision } from './decision.ts'
import { draftOf, record } from './draft.ts'
import type { ChildEndedEvent } from './event.ts'
import type { Job } from './job.ts'
import type { Rules } from './rules.ts'
import { targetOf } from './single-task.ts'
import { endJob, enterState } from './transition.ts'

export function onChildEnded(job: Job, { report, at }: ChildEndedEvent, rules: Rules): Decision {
  const { wait } = job
  if (wait?.for !== 'child' || wait.childId !== report.jobId) return ignored('stale_task')
  const draft = draftOf(job, at)
  // There is no child to cancel any more, whatever comes next.
  draft.job.wait = null
  const { jobId, outcome, status, finalState, error } = report
  record(draft, 'child_finished', {
    details: { childId: jobId, outcome, status, finalState },
    ...(error && { error }),
  })
  const tooLarge = admit(draft, report.result, rules)
  if (tooLarge !== null) {
    endJob(draft, { status: 'quarantined', error: tooLarge })
    return changed(draft)
  }
  merge(draft, {
    [`sub_job_${jobId}_result`]: {
      outcome,
      final_state: finalState,
      error_message: error?.message ?? null,
    },
  })
  const target = targetOf(wait.transitions, status) ?? targetOf(wait.transitions, outcome)
  if (target !== undefined) {
    enterState(draft, { target, received: { kind: 'child', child: report } }, rules)
  } else {
    const why = error === null ? '' : `: ${error.message}`
    const message = `The child job ${jobId} of blueprint '${wait.blueprint}' ended as ${status}, for which no transition is declared${why}`
    endJob(draft, { status: 'failed', error: { code: 'CHILD_FAILED', message } })
  }
  return changed(draft)
}
