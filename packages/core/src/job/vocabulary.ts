/** The words that every part of a job is written with. */
import type { JsonValue } from '@avtomatika/protocol'

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = number

/** How a job ends when it reaches an end state. */
export type EndOutcome = 'finished' | 'failed'

/** A state to go to; with `end`, entering it ends the job at once because nothing is left to run. */
export interface Target {
  readonly state: string
  readonly end?: EndOutcome
}

export type Transitions = Readonly<Record<string, Target>>

export interface JobError {
  readonly code: string
  readonly message: string
  readonly details?: JsonValue
}
