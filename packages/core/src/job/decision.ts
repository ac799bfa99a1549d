/** What `advance` answers. Stale and repeated events are expected, so they are values, not errors. */
import type { IgnoredReason } from '@avtomatika/protocol'
import type { Draft } from './draft.ts'
import type { Effect } from './effect.ts'
import type { Job, TaskAnswer } from './job.ts'

export type Decision =
  | {
      readonly kind: 'changed'
      readonly job: Job
      readonly effects: readonly Effect[]
      /** For a task result: how it was taken. */
      readonly answer?: TaskAnswer
    }
  | { readonly kind: 'ignored'; readonly reason: IgnoredReason }
  /** This very result was applied before; its sender gets the same answer again. */
  | { readonly kind: 'repeated'; readonly answer: TaskAnswer }

export function changed(draft: Draft, answer?: TaskAnswer): Decision {
  const { job, effects } = draft
  return { kind: 'changed', job, effects, ...(answer && { answer }) }
}

export function ignored(reason: IgnoredReason): Decision {
  return { kind: 'ignored', reason }
}
