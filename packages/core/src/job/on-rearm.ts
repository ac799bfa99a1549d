/** A store has lost what a job waits for; it is asked for anew. Should never be needed. */
import { changed, ignored, type Decision } from './decision.ts'
import { draftOf, record } from './draft.ts'
import type { Effect } from './effect.ts'
import type { RearmRequestedEvent } from './event.ts'
import type { Job } from './job.ts'
import { waitEffects } from './wait-effects.ts'

export function onRearmRequested(job: Job, { at, missing }: RearmRequestedEvent): Decision {
  if (job.wait === null) return ignored('job_already_terminated')
  const draft = draftOf(job, at)
  const lost = new Set(missing)
  // What the job waits for by now may be something else, and that is there.
  const effects = waitEffects(undefined, draft.job).filter((effect) => lost.has(reasonOf(effect)))
  if (effects.length === 0) return ignored('stale_task')
  draft.effects.push(...effects)
  record(draft, 'job_rearmed', { details: { missing: effects.map(reasonOf) } })
  return changed(draft)
}

/** What would wake a job, by one name for all kinds: an id of a step or task, or a timer's key. */
export function reasonOf(effect: Effect): string {
  switch (effect.kind) {
    case 'run_step':
      return effect.stepId
    case 'offer_task':
      return effect.task.taskId
    case 'set_deadline':
      return effect.key
    default:
      return ''
  }
}
