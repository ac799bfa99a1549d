import { changed, ignored, type Decision } from './decision.ts'
import { draftOf } from './draft.ts'
import type { CancelRequestedEvent } from './event.ts'
import type { Job } from './job.ts'
import { endJob } from './transition.ts'

/** Cancels a live job at once; an ended one stays as it is (D-16). */
export function onCancelRequested(job: Job, { at, reason }: CancelRequestedEvent): Decision {
  if (job.wait === null) return ignored('job_already_terminated')
  const draft = draftOf(job, at)
  endJob(draft, { status: 'cancelled', error: { code: 'JOB_CANCELLED', message: reason } })
  return changed(draft)
}
