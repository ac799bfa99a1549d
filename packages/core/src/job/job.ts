/**
 * The job document: everything the system knows of one run of a blueprint.
 *
 * A document is plain JSON and is never changed in place: `advance` answers with a new one.
 */
import type { JobStatus, JsonObject, JsonValue } from '@avtomatika/protocol'

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = number

/** The definition that a job is pinned to. */
export interface BlueprintRef {
  readonly name: string
  readonly version: string | null
  /** Fingerprint of the definition at the time the job was created. */
  readonly hash: string
}

/** How a job ends when it reaches an end state. */
export type EndOutcome = 'finished' | 'failed'

/** A state to go to; with `end`, entering it ends the job at once because nothing is left to run. */
export interface Target {
  readonly state: string
  readonly end?: EndOutcome
}

export type Transitions = Readonly<Record<string, Target>>

/** Who a job belongs to. Never holds the client's token. */
export interface JobOwner {
  readonly clientId: string
  readonly plan: string | null
  readonly params: JsonObject
}

export interface JobError {
  readonly code: string
  readonly message: string
  readonly details?: JsonValue
}

/** What a worker must offer to be given a task. */
export interface TaskDemand {
  readonly type: string
  readonly skillVersion?: string
}

/** A task as its blueprint asked for it; durations in milliseconds. */
export interface TaskSpec {
  readonly demand: TaskDemand
  readonly params: JsonObject
  /** Higher goes first. */
  readonly priority: number
  /** From offer to claim; `null` waits for as long as it takes. */
  readonly dispatchTimeoutMs: number | null
  /** From claim to result. */
  readonly executionTimeoutMs: number
  /** From dispatch to result, over all attempts; `null` for no such limit. */
  readonly resultTimeoutMs: number | null
}

export type TaskPhase =
  | { readonly kind: 'offered'; readonly dispatchDeadlineAt: EpochMs | null }
  | {
      readonly kind: 'claimed'
      readonly workerId: string
      readonly claimedAt: EpochMs
      readonly deadlineAt: EpochMs
    }
  | { readonly kind: 'backing_off'; readonly until: EpochMs }

/** A handler run that is ready, or in progress. */
export interface StepWait {
  readonly for: 'step'
  readonly stepId: string
}

/** A pause before the handler of the present state runs again. */
export interface RetryWait {
  readonly for: 'retry'
  readonly until: EpochMs
}

/** One task is out. The attempt is part of its identity: a new attempt has a new task id. */
export interface TaskWait {
  readonly for: 'task'
  readonly taskId: string
  readonly attempt: number
  readonly spec: TaskSpec
  readonly transitions: Transitions
  readonly dispatchedAt: EpochMs
  readonly resultDeadlineAt: EpochMs | null
  readonly phase: TaskPhase
}

/** The one thing a live job waits for. */
export type Wait = StepWait | RetryWait | TaskWait

/** What the sender of a result was told; kept so that a repeated result gets the same answer. */
export interface TaskAnswer {
  readonly taskId: string
  readonly transition: string
}

export interface Job {
  readonly id: string
  /** Grows by one with each change; the base of compare-and-set. */
  readonly version: number
  readonly blueprint: BlueprintRef
  readonly status: JobStatus
  readonly state: string
  readonly initialData: JsonObject
  readonly stateHistory: JsonObject
  readonly owner: JobOwner
  /** W3C trace context only (`traceparent`, `tracestate`). */
  readonly tracing: Readonly<Record<string, string>>
  readonly metadata: JsonObject
  readonly webhookUrl: string | null
  readonly parentId: string | null
  readonly createdAt: EpochMs
  readonly updatedAt: EpochMs
  readonly finishedAt: EpochMs | null
  /** Limits that the creator set, from `createdAt`: for the first pick-up, and for every result. */
  readonly dispatchTimeoutMs: number | null
  readonly resultTimeoutMs: number | null
  /** Counts steps and tasks, so that each has an id of its own. */
  readonly sequence: number
  /** Changes of state so far; the loop guard looks at it. */
  readonly transitionCount: number
  /** The last states entered, newest last. */
  readonly recentStates: readonly string[]
  /** When the present state was entered. */
  readonly stateEnteredAt: EpochMs
  /** Retries spent on the present step or task. */
  readonly retryCount: number
  /** `null` exactly when the job has ended. */
  readonly wait: Wait | null
  readonly progress: number | null
  readonly progressMessage: string | null
  readonly error: JobError | null
  readonly result: JsonValue
  /** What the last worker returned. */
  readonly lastData: JsonObject | null
  readonly lastWorkerId: string | null
  readonly lastAnswer: TaskAnswer | null
}
