import type { JsonValue } from '@avtomatika/protocol'

import type { HotCache } from './hot-cache.ts'
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
  /**
   * Tells the job that something happened. Events arrive in this order and before the result; each is
   * sent until it is answered, and counts once. Need not be waited for.
   *
   * @param payload - a JSON object. Default `{}`.
   * @returns resolves when the orchestrator has it.
   * @throws {@link TaskError} when the task does not declare such an event; what the orchestrator says
   *   when it refuses it.
   */
  readonly emit: (event: string, payload?: Readonly<Record<string, unknown>>) => Promise<void>
  /**
   * Sends a piece of the output ahead of the result, in order with the others: a text or any other JSON,
   * at most 64 KiB. Whoever watches the job sees it at once; it is not kept. Orchestrators that do not
   * know of streams get nothing. Need not be waited for, unless there are very many.
   */
  readonly stream: (chunk: JsonValue) => Promise<void>
  /** Names of the models that this worker has loaded; tasks that need them come here first. */
  readonly hotCache: HotCache
  /** The same for each attempt of this task and for no other: for services that do a thing once per key. */
  readonly idempotencyKey: string
  /** Adds `taskId`, `jobId`, `taskType` and `attempt` to each line. */
  readonly logger: WorkerLogger
  /** W3C trace context of the job. */
  readonly tracing: Readonly<Record<string, string>>
}
