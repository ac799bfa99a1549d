import { ConfigError, type JsonValue, type TaskContract } from '@avtomatika/protocol'

import { internalsOf, type Worker } from '../worker.ts'
import { TestOrchestrator, type ToldEvent, type ToldProgress } from './test-orchestrator.ts'

/** What else a task is given. */
export interface TestTask {
  /** Default: `job-` and a number. */
  readonly jobId?: string | undefined
  /** Default: `task-` and a number. */
  readonly taskId?: string | undefined
  /** Default 1. */
  readonly attempt?: number | undefined
  /** Default 0. */
  readonly priority?: number | undefined
  /** To the second, as orchestrators send it. Default: none. */
  readonly deadline?: Date | undefined
  readonly tracing?: Readonly<Record<string, string>> | undefined
}

/** What came of a task, as it would be sent. */
export interface TestResult {
  /** `success`, `failure`, `cancelled`, or one of the task's own. */
  readonly status: string
  readonly data?: unknown
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly details?: unknown
    /** Seconds. */
    readonly retry_after?: number
  }
  readonly metadata?: Readonly<Record<string, unknown>>
  /** All reports, in their order. */
  readonly progress: readonly ToldProgress[]
  /** All events, in their order. */
  readonly events: readonly ToldEvent[]
  /** All pieces of output, in their order. */
  readonly chunks: readonly JsonValue[]
}

/** A task at work. */
export interface RunningTest {
  readonly result: Promise<TestResult>
  /** Cancels it, as an orchestrator does for a cancelled job. */
  cancel(): void
}

/** Runs tasks of a worker without an orchestrator. */
export interface TestBench {
  /** Runs a task to its end. */
  run<Params>(
    task: string | TaskContract<Params, unknown>,
    params?: object,
    options?: TestTask,
  ): Promise<TestResult>
  /** Begins a task, to look at it while it runs. */
  start<Params>(
    task: string | TaskContract<Params, unknown>,
    params?: object,
    options?: TestTask,
  ): RunningTest
  /** Tells all tasks to stop, as a worker does that shuts down and has waited long enough. */
  shutDown(): void
}

/**
 * Runs tasks in this process with a fake orchestrator: the params pass JSON and the schema, the handler
 * runs with its middleware, limits and threads, and what it returns or throws becomes the message that
 * an orchestrator would get. The worker must not be started; `await worker.stop()` ends its threads.
 *
 * @example
 * ```ts
 * const { status, data } = await testWorker(worker).run('resize', { width: 3 })
 * ```
 */
export function testWorker(worker: Worker): TestBench {
  const { runner, settings } = internalsOf(worker)
  const orchestrator = new TestOrchestrator(settings.logger)
  let count = 0
  const start: TestBench['start'] = (task, params = {}, options = {}) => {
    count += 1
    const taskId = options.taskId ?? `task-${count}`
    if (runner.taskIds(orchestrator).includes(taskId)) {
      throw new ConfigError('CONFIG_INVALID', { message: `The task '${taskId}' runs already.` })
    }
    const record = orchestrator.expect(taskId)
    const payload = payloadOf(typeof task === 'string' ? task : task.name, params, {
      ...options,
      taskId,
      jobId: options.jobId ?? `job-${count}`,
    })
    runner.admit(JSON.parse(JSON.stringify(payload)), orchestrator)
    const result = record.ended.then(({ status, data, error, metadata }) => ({
      status: status ?? 'success',
      ...(data != null && { data }),
      ...(error != null && { error: error as NonNullable<TestResult['error']> }),
      ...(metadata != null && { metadata }),
      progress: record.progress,
      events: record.events,
      chunks: record.chunks,
    }))
    return {
      result,
      cancel: () => {
        runner.cancel([taskId], orchestrator)
      },
    }
  }
  return {
    start,
    run: (task, params, options) => start(task, params, options).result,
    shutDown: () => {
      runner.abortAll('shutdown')
    },
  }
}

function payloadOf(
  type: string,
  params: object,
  { taskId, jobId, attempt = 1, priority, deadline, tracing }: TestTask,
): Record<string, unknown> {
  return {
    job_id: jobId,
    task_id: taskId,
    type,
    params,
    attempt,
    priority,
    deadline: deadline === undefined ? undefined : Math.floor(deadline.getTime() / 1000),
    tracing_context: tracing,
  }
}
