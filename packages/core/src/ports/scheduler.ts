/**
 * Who says when something that happens again and again is due. Every implementation runs the same
 * suite: `schedulerContract` of `@avtomatika/core/testing`.
 *
 * T1 The moment of a tick follows from its plan alone, so schedulers that share a plan agree on it.
 * T2 A tick is handed out at least once: one whose handling fails comes again, with growing pauses,
 *    until it succeeds (D-72). Where schedulers share a store, one of them is handed the tick.
 * T3 What comes due while nobody runs is made up for once, late, if the plan was remembered.
 * T4 Nothing is handed out after `stop` resolved.
 */
import type { EpochMs } from '../job/vocabulary.ts'

export type Timing =
  /** At every multiple of this since 1970, so that it does not depend on when somebody started. */
  | { readonly everyMs: number }
  /** Five fields, or six with seconds first; in the wall-clock time of an IANA time zone. */
  | { readonly cron: string; readonly timezone: string }

/** Something that happens again and again. */
export interface Plan {
  readonly name: string
  readonly timing: Timing
}

/** One time that a plan is due. */
export interface Tick {
  /** Of its plan. */
  readonly name: string
  /** When it was due; now, or a little ago. */
  readonly at: EpochMs
}

export interface Scheduler {
  /**
   * Hands out ticks from now on. Plans that were remembered under other names are forgotten, changed
   * ones changed. Never throws: a store that is away is tried again.
   */
  start(plans: readonly Plan[], onTick: (tick: Tick) => Promise<void>): void
  /**
   * Hands out nothing more. Resolves when no tick is being handled any more, or after `graceMs`;
   * without a start it does nothing.
   */
  stop(graceMs?: number): Promise<void>
}
