/** What `advance` answers. Stale and repeated events are expected, so they are values, not errors. */
import type { ErrorCode, IgnoredReason } from '@avtomatika/protocol'
import type { Draft } from './draft.ts'
import type { Effect } from './effect.ts'
import type { Job, TaskAnswer } from './job.ts'
import { waitEffects } from './wait-effects.ts'

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
  | { readonly kind: 'repeated'; readonly answer?: TaskAnswer }
  /** The job is in no state for what its sender asked; the sender must hear why. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string }

export function changed(draft: Draft, answer?: TaskAnswer): Decision {
  const { before, job } = draft
  const effects = [...waitEffects(before, job), ...draft.effects]
  return { kind: 'changed', job, effects, ...(answer && { answer }) }
}

export function ignored(reason: IgnoredReason): Decision {
  return { kind: 'ignored', reason }
}

export function refused(code: ErrorCode, message: string): Decision {
  return { kind: 'refused', code, message }
}
