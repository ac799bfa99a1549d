import type { WorkerLogger } from './logger.ts'

/** What a handler is given. */
export interface TaskContext<Params = Record<string, unknown>> {
  /** Checked against the task's schema, if it has one. */
  readonly params: Params
  readonly taskId: string
  readonly jobId: string
  /** Name of the task. */
  readonly type: string
  /** Which try this is, from 1; 1 when the orchestrator does not say. */
  readonly attempt: number
  /** Higher is more urgent. Default 0. */
  readonly priority: number
  /** When the result must be there. */
  readonly deadline: Date | null
  /**
   * Aborted when the task is cancelled, when its deadline passes, and when the worker stops and has
   * waited long enough. Its reason is a {@link TaskAborted}. Pass it on to whatever can be aborted.
   */
  readonly signal: AbortSignal
  /**
   * Tells how far the task is. May be called often: at most five reports a second are sent, and the
   * last one counts.
   *
   * @param fraction - 0 to 1; what is beyond is cut.
   */
  readonly progress: (fraction: number, message?: string) => void
  /** Adds `taskId`, `jobId` and `taskType` to each line. */
  readonly logger: WorkerLogger
  /** W3C trace context of the job. */
  readonly tracing: Readonly<Record<string, string>>
}
