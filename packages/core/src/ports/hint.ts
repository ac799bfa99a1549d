/** What a store tells those who listen, so that nobody has to ask all the time. */
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
