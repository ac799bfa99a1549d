/** Everything a change of a job can ask for. Storage makes effects true in the write of the document. */
import type { JsonObject } from '@avtomatika/protocol'
import type { DeadlineKey } from './event.ts'
import type { JobMessage } from './message.ts'
import type { TaskDemand } from './task.ts'
import type { EpochMs, JobError } from './vocabulary.ts'

/** A task as workers see it: complete, so that handing it out needs no look at the job. */
export interface OfferedTask {
  readonly taskId: string
  readonly jobId: string
  readonly attempt: number
  readonly demand: TaskDemand
  readonly params: JsonObject
  readonly priority: number
  readonly strategy: string
  readonly tracing: Readonly<Record<string, string>>
  readonly executionTimeoutMs: number
  readonly resultDeadlineAt: EpochMs | null
  /** Until then this worker is not given the task, because it has just failed it. */
  readonly avoid: { readonly workerId: string; readonly until: EpochMs } | null
}

/** One row of a job's history. `eventId` is stable over repeats of the same change. */
export interface HistoryRecord {
  readonly eventId: string
  readonly jobId: string
  readonly ownerId: string
  /** Name of the job's blueprint. */
  readonly blueprint: string
  /** The version of the job's document that the change made: rows of one job stand in this order. */
  readonly version: number
  readonly at: EpochMs
  readonly type: RecordType
  readonly status: string
  readonly state: string
  readonly previousState?: string
  readonly nextState?: string
  readonly durationMs?: number
  readonly workerId?: string
  readonly taskId?: string
  readonly branch?: string
  readonly attempt?: number
  readonly error?: JobError
  /** What was decided, sent or received. */
  readonly details?: JsonObject
}

export type RecordType =
  | 'job_created'
  | 'state_finished'
  | 'state_failed'
  | 'state_deferred'
  | 'task_dispatched'
  | 'task_claimed'
  | 'task_finished'
  | 'task_lost'
  | 'worker_event'
  | 'event_sent'
  | 'event_received'
  | 'event_wait_expired'
  | 'approval_requested'
  | 'approval_decided'
  | 'approval_expired'
  | 'child_started'
  | 'child_finished'
  | 'sleep_started'
  | 'job_finished'
  | 'job_failed'
  | 'job_quarantined'
  | 'job_cancelled'
  | 'job_retried'
  | 'job_discarded'
  | 'job_rearmed'

export type Effect =
  | { readonly kind: 'run_step'; readonly stepId: string }
  /** The step is done with: nobody may be handed it any more, and its lease is void. */
  | { readonly kind: 'withdraw_step'; readonly stepId: string }
  | { readonly kind: 'offer_task'; readonly task: OfferedTask }
  /** The task is done with: nobody may be handed it any more, and its lease is void. */
  | { readonly kind: 'withdraw_task'; readonly taskId: string }
  /** Replaces the deadline of the same key. */
  | { readonly kind: 'set_deadline'; readonly key: DeadlineKey; readonly at: EpochMs }
  | { readonly kind: 'clear_deadline'; readonly key: DeadlineKey }
  /** For another job, or for the world. */
  | { readonly kind: 'send'; readonly message: JobMessage }
  | { readonly kind: 'record'; readonly record: HistoryRecord }
