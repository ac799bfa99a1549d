/** Everything that can happen to a job. Events carry time and chance, so that `advance` needs neither. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import type { BlueprintRef, Job } from './job.ts'
import type { TaskSpec } from './task.ts'
import type { EndOutcome, EpochMs, JobError, Target, Transitions } from './vocabulary.ts'
import type { Approval, ChildReport } from './wait.ts'

/** A child job as a handler asked for it. */
export interface ChildSpec {
  readonly blueprint: BlueprintRef
  readonly start: Target
  readonly initialData: JsonObject
  /** Limits of the child, from its creation. */
  readonly dispatchTimeoutMs: number | null
  readonly resultTimeoutMs: number | null
  readonly timeoutMs: number | null
}

/** What a handler decided, with its state names resolved against the blueprint. */
export type Action =
  | { readonly type: 'go_to'; readonly target: Target }
  | {
      readonly type: 'dispatch_task'
      readonly task: TaskSpec
      readonly transitions: Transitions
      readonly eventTransitions: Transitions
      readonly onFailure: 'end' | 'transition'
    }
  | {
      readonly type: 'dispatch_parallel'
      readonly tasks: readonly { readonly name: string; readonly spec: TaskSpec }[]
      readonly aggregateInto: Target
      readonly concurrency: number | null
      readonly failFast: boolean
    }
  | {
      readonly type: 'await_approval'
      readonly integration: string
      readonly message: string
      readonly transitions: Transitions
      readonly timeoutMs: number | null
      readonly onTimeout: Target | null
    }
  | {
      readonly type: 'run_child'
      readonly child: ChildSpec
      readonly transitions: Transitions
    }
  | { readonly type: 'sleep'; readonly until: SleepUntil; readonly next: Target }
  | {
      readonly type: 'wait_for_event'
      readonly name: string
      readonly match: JsonObject | null
      readonly timeoutMs: number | null
      readonly received: Target
      readonly timeout: Target | null
    }
  | { readonly type: 'finish'; readonly outcome: EndOutcome; readonly result?: JsonValue }

/** Counted from the moment at which the sleep begins, or a moment of its own. */
export type SleepUntil = { readonly ms: number } | { readonly at: EpochMs }

/** An event that a handler sends: of its own job, or to another. */
export interface SentEvent {
  readonly name: string
  readonly data: JsonObject
  readonly to: string | null
}

/** What a handler said beside its action. */
export interface Remarks {
  readonly updates: JsonObject | null
  readonly sent: readonly SentEvent[]
}

/** What a worker reported about a task. */
export type TaskOutcome =
  | { readonly kind: 'completed'; readonly status: string; readonly data: JsonObject }
  | { readonly kind: 'failed'; readonly error: JobError | null; readonly data: JsonObject }
  | { readonly kind: 'cancelled' }
  /** The worker could not go on (it is shutting down) and gives the task back untouched. */
  | { readonly kind: 'handed_back' }

/** Fields of the document that its creator decides. */
export type NewJob = Pick<
  Job,
  | 'id'
  | 'blueprint'
  | 'initialData'
  | 'owner'
  | 'tracing'
  | 'metadata'
  | 'webhookUrl'
  | 'parentId'
  | 'depth'
  | 'dispatchTimeoutMs'
  | 'resultTimeoutMs'
  | 'timeoutMs'
>

interface At {
  readonly at: EpochMs
}
/** A uniform random number in [0, 1), drawn by the caller, for jitter. */
interface Chance {
  readonly chance: number
}

export interface CreatedEvent extends At {
  readonly kind: 'created'
  readonly job: NewJob
  readonly start: Target
}
export interface StepSucceededEvent extends At {
  readonly kind: 'step_succeeded'
  readonly stepId: string
  readonly action: Action
  readonly remarks: Remarks
}
export interface StepFailedEvent extends At, Chance {
  readonly kind: 'step_failed'
  readonly stepId: string
  readonly error: JobError
  /** `retry`: try again with back-off. `fail`: trying again cannot help. */
  readonly then: 'retry' | 'fail'
}
/** The step cannot run here and now (its blueprint version is not loaded); it costs no retry. */
export interface StepDeferredEvent extends At {
  readonly kind: 'step_deferred'
  readonly stepId: string
  readonly reason: JobError
  readonly until: EpochMs
}
export interface TaskClaimedEvent extends At {
  readonly kind: 'task_claimed'
  readonly taskId: string
  readonly workerId: string
}
export interface TaskProgressEvent extends At {
  readonly kind: 'task_progress'
  readonly taskId: string | null
  readonly workerId: string
  /** From 0 to 1. */
  readonly progress: number
  readonly message: string | null
}
export interface TaskResultEvent extends At, Chance {
  readonly kind: 'task_result'
  readonly taskId: string
  /** The attempt that the worker says it was; left out by older ones. */
  readonly attempt?: number
  readonly workerId: string
  readonly outcome: TaskOutcome
}
/** The worker that held the task is gone or no longer lists it. */
export interface TaskLostEvent extends At {
  readonly kind: 'task_lost'
  readonly taskId: string
}
/** A worker says that something happened while it works on a task. */
export interface WorkerEventEvent extends At {
  readonly kind: 'worker_event'
  /** `null` from workers that have one task of a job at most. */
  readonly taskId: string | null
  readonly workerId: string
  readonly eventId: string
  readonly type: string
  readonly payload: JsonObject
}
/** A client or another job sent an event. */
export interface EventReceivedEvent extends At {
  readonly kind: 'event_received'
  readonly eventId: string
  readonly name: string
  readonly data: JsonObject
}
export interface ApprovalDecidedEvent extends At {
  readonly kind: 'approval_decided'
  /** The request for approval that is meant; `null` for the present one. */
  readonly approvalId: string | null
  readonly approval: Omit<Approval, 'decidedAt'>
}
export interface ChildEndedEvent extends At {
  readonly kind: 'child_ended'
  readonly report: ChildReport
}
export interface TimerFiredEvent extends At, Chance {
  readonly kind: 'timer_fired'
  readonly key: DeadlineKey
  /** Why no worker took it, by the id of a task on offer. */
  readonly reasons?: Readonly<Record<string, string>>
}
export interface CancelRequestedEvent extends At {
  readonly kind: 'cancel_requested'
  readonly reason: string
}
/** An operator lets a quarantined job go on from the step that failed. */
export interface RetryRequestedEvent extends At {
  readonly kind: 'retry_requested'
  /** Laid over the job's data. */
  readonly data: JsonObject | null
}
/** An operator gives a quarantined job up. */
export interface DiscardRequestedEvent extends At {
  readonly kind: 'discard_requested'
}

/** The store does not hold what the job waits for; somebody has looked. */
export interface RearmRequestedEvent extends At {
  readonly kind: 'rearm_requested'
  /** Ids of steps and tasks, keys of deadlines. */
  readonly missing: readonly string[]
}

/** Which of a job's timers: `wait` goes with the present wait, `job` with the job. */
export type DeadlineKey = 'wait' | 'job'

export type JobEvent =
  | CreatedEvent
  | StepSucceededEvent
  | StepFailedEvent
  | StepDeferredEvent
  | TaskClaimedEvent
  | TaskProgressEvent
  | TaskResultEvent
  | TaskLostEvent
  | WorkerEventEvent
  | EventReceivedEvent
  | ApprovalDecidedEvent
  | ChildEndedEvent
  | TimerFiredEvent
  | CancelRequestedEvent
  | RetryRequestedEvent
  | DiscardRequestedEvent
  | RearmRequestedEvent
