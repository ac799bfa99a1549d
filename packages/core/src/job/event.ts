/** Everything that can happen to a job. Events carry time and chance, so that `advance` needs neither. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import type { EndOutcome, EpochMs, JobError, Job, Target, TaskSpec, Transitions } from './job.ts'

/** What a handler decided, with its state names resolved against the blueprint. */
export type Action =
  | { readonly type: 'go_to'; readonly target: Target }
  | { readonly type: 'dispatch_task'; readonly task: TaskSpec; readonly transitions: Transitions }
  | { readonly type: 'finish'; readonly outcome: EndOutcome; readonly result?: JsonValue }

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
  | 'dispatchTimeoutMs'
  | 'resultTimeoutMs'
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
  readonly workerId: string
  readonly outcome: TaskOutcome
}
/** The worker that held the task is gone or no longer lists it. */
export interface TaskLostEvent extends At {
  readonly kind: 'task_lost'
  readonly taskId: string
}
export interface TimerFiredEvent extends At, Chance {
  readonly kind: 'timer_fired'
  readonly key: DeadlineKey
}
export interface CancelRequestedEvent extends At {
  readonly kind: 'cancel_requested'
}

/** Which of a job's timers: `wait` belongs to the present wait and goes with it. */
export type DeadlineKey = 'wait'

export type JobEvent =
  | CreatedEvent
  | StepSucceededEvent
  | StepFailedEvent
  | StepDeferredEvent
  | TaskClaimedEvent
  | TaskProgressEvent
  | TaskResultEvent
  | TaskLostEvent
  | TimerFiredEvent
  | CancelRequestedEvent
