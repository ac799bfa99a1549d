/**
 * The job document: everything the system knows of one run of a blueprint.
 *
 * A document is plain JSON and is never changed in place: `advance` answers with a new one.
 */
import type { JobStatus, JsonObject, JsonValue } from '@avtomatika/protocol'
import type { EpochMs, JobError } from './vocabulary.ts'
import type { Received, ReceivedEvent, Wait } from './wait.ts'

/** The definition that a job is pinned to. */
export interface BlueprintRef {
  readonly name: string
  readonly version: string | null
  /** Fingerprint of the definition at the time the job was created. */
  readonly hash: string
}

/** Who a job belongs to. Never holds the client's token. */
export interface JobOwner {
  readonly clientId: string
  readonly plan: string | null
  readonly params: JsonObject
}

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
  /** 0 for a job that a client created, one more for each parent above. */
  readonly depth: number
  readonly createdAt: EpochMs
  readonly updatedAt: EpochMs
  readonly finishedAt: EpochMs | null
  /** Limits that the creator set, from `createdAt`: for the first pick-up, and for every result. */
  readonly dispatchTimeoutMs: number | null
  readonly resultTimeoutMs: number | null
  /** From `createdAt`: the job fails when it has not ended by then, wherever it is. */
  readonly timeoutMs: number | null
  /** Counts steps, tasks, children and approvals, so that each has an id of its own. */
  readonly sequence: number
  /** Changes of state so far; the loop guard looks at it. */
  readonly transitionCount: number
  /** The last states entered, newest last. */
  readonly recentStates: readonly string[]
  /** When the present state was entered. */
  readonly stateEnteredAt: EpochMs
  /** Retries spent on the present step; a task counts its own, and leaves its count when it ends the job. */
  readonly retryCount: number
  /** `null` exactly when the job has ended. */
  readonly wait: Wait | null
  /** What the wait before the present state brought. */
  readonly received: Received | null
  /** Events that nothing waited for yet, oldest first. */
  readonly inbox: readonly ReceivedEvent[]
  /** Ids of the latest events, so that a repeated one counts once. */
  readonly seenEventIds: readonly string[]
  /** An upper bound of the data in this document, in bytes of JSON. */
  readonly dataBytes: number
  readonly progress: number | null
  readonly progressMessage: string | null
  readonly error: JobError | null
  readonly result: JsonValue
  /** What the last worker returned. */
  readonly lastData: JsonObject | null
  readonly lastWorkerId: string | null
  /** The latest answers to results, newest last. */
  readonly answers: readonly TaskAnswer[]
}
