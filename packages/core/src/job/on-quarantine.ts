/** Quarantine is a place to work in: a job there can be let go on, or be given up. */
import { admit, merge } from './data.ts'
import { changed, refused, type Decision } from './decision.ts'
import { draftOf, record } from './draft.ts'
import type { DiscardRequestedEvent, RetryRequestedEvent } from './event.ts'
import type { Job } from './job.ts'
import type { Rules } from './rules.ts'
import { readyStep } from './transition.ts'

/** Runs the handler of the failed state again, with what its wait had brought. */
export function onRetryRequested(job: Job, event: RetryRequestedEvent, rules: Rules): Decision {
  if (job.status !== 'quarantined') return notThere(job)
  const { at, data } = event
  const draft = draftOf(job, at)
  const tooLarge = data === null ? null : admit(draft, data, rules)
  if (tooLarge !== null) return refused('DATA_TOO_LARGE', tooLarge.message)
  const next = draft.job
  if (data !== null) {
    merge(draft, data)
    next.initialData = { ...next.initialData, ...data }
  }
  next.status = 'running'
  next.finishedAt = null
  next.error = null
  next.result = null
  next.retryCount = 0
  // Limits that count from the creation have passed while the job lay there.
  next.dispatchTimeoutMs = null
  next.resultTimeoutMs = null
  next.timeoutMs = null
  readyStep(draft)
  record(draft, 'job_retried', { ...(data && { details: { data } }) })
  return changed(draft)
}

/** Its parent and its webhook were told when it ended; this is for the books. */
export function onDiscardRequested(job: Job, { at }: DiscardRequestedEvent): Decision {
  if (job.status !== 'quarantined') return notThere(job)
  const draft = draftOf(job, at)
  draft.job.status = 'failed'
  record(draft, 'job_discarded')
  return changed(draft)
}

function notThere({ status }: Job): Decision {
  return refused('NOT_QUARANTINED', `The job is not quarantined; its status is ${status}.`)
}
