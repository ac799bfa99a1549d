/** What a store tells those who listen, so that nobody has to ask all the time. */
import type { JsonValue } from '@avtomatika/protocol'
import type { TaskDemand } from '../job/task.ts'
import type { EpochMs } from '../job/vocabulary.ts'

/** A hint without promise: something may be there to do. Losing one costs at most a slow tick. */
export type Hint =
  | { readonly kind: 'step' }
  | TaskHint
  | { readonly kind: 'deadline'; readonly at: EpochMs }
  | { readonly kind: 'record' }
  | { readonly kind: 'message' }
  | { readonly kind: 'job_ended'; readonly jobId: string }
  | WithdrawnHint
  | AcknowledgedHint
  | ConnectedHint
  | StreamHint
  | StreamMarkHint
  | WorkerTokensHint
  | LoweredHint

/** A task can be had. */
export interface TaskHint {
  readonly kind: 'task'
  readonly classId: string
  readonly demand: TaskDemand
  /** It is reserved for this worker; left out, anybody may have it. */
  readonly workerId?: string
  /** One worker, whom the task avoids, is passed over until then. */
  readonly openToAllAt?: EpochMs
}

/** A task in the hands of a worker that may stop working on it: nobody waits for its result. */
export interface Withdrawal {
  readonly workerId: string
  readonly jobId: string
  readonly taskId: string
}

export interface WithdrawnHint extends Withdrawal {
  readonly kind: 'withdrawn'
}

/** Workers have got these tasks. */
export interface AcknowledgedHint {
  readonly kind: 'acknowledged'
  readonly taskIds: readonly string[]
}

/** A worker has opened a connection; an older one of its is not wanted any more. */
export interface ConnectedHint {
  readonly kind: 'connected'
  readonly workerId: string
  readonly connectionId: string
}

/** A piece of a task's output, before there is a result. */
export interface Chunk {
  /** Of this piece alone, everywhere. */
  readonly id: string
  /** The worker's own count; `null` when it keeps none. */
  readonly seq: number | null
  readonly chunk: JsonValue
}

/** Pieces of a task's output, for those who read the job's event stream anywhere. */
export interface StreamHint {
  readonly kind: 'stream'
  readonly jobId: string
  readonly taskId: string
  readonly workerId: string
  readonly chunks: readonly Chunk[]
}

/** What was told before it has been heard by whoever hears it. */
export interface StreamMarkHint {
  readonly kind: 'stream_mark'
  readonly id: string
}

/** The tokens that workers were given are others now: whoever reads them somewhere reads them again. */
export interface WorkerTokensHint {
  readonly kind: 'worker_tokens'
  /** The orchestrator that says so, which has read them; empty: nobody knows, better look. */
  readonly from: string
}

/** Less is thought of these workers than before. */
export interface LoweredHint {
  readonly kind: 'lowered'
  readonly reputations: readonly { readonly workerId: string; readonly reputation: number }[]
}
