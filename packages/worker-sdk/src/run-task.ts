import { describeIssues, TASK_ERROR_CODES, type TaskPayload } from '@avtomatika/protocol'

import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import type { Skill } from './skill.ts'
import { TaskAborted } from './task-abort.ts'
import type { TaskContext } from './task-context.ts'
import { InvalidInputError } from './task-error.ts'
import {
  failure,
  outcomeOfAbort,
  outcomeOfError,
  outcomeOfValue,
  type TaskOutcome,
} from './task-outcome.ts'

/** What running one task needs. */
export interface RunTaskOptions {
  readonly payload: TaskPayload
  /** `undefined` when this worker has no such task. */
  readonly skill: Skill | undefined
  readonly abort: AbortController
  readonly clock: Clock
  readonly logger: WorkerLogger
  readonly progress: (fraction: number, message?: string) => void
}

/**
 * Runs one task to its end. Never rejects: whatever goes wrong becomes an outcome, because a task
 * without a result would be waited for in vain.
 */
export async function runTask(options: RunTaskOptions): Promise<TaskOutcome> {
  const { payload, skill, abort, clock, logger } = options
  if (skill === undefined) {
    return failure(TASK_ERROR_CODES.permanent, `Unsupported task: ${payload.type}`)
  }
  const deadlineAt = payload.deadline == null ? undefined : payload.deadline * 1000
  if (deadlineAt !== undefined && deadlineAt <= clock.now()) return outcomeOfAbort('deadline')
  const cancelTimer =
    deadlineAt === undefined
      ? undefined
      : clock.after(deadlineAt - clock.now(), () => {
          abort.abort(new TaskAborted('deadline'))
        })
  try {
    const params = await parseParams(skill, payload.params ?? {})
    const value = await skill.handler(contextOf(options, params, deadlineAt))
    return await outcomeOfValue(value, skill.result)
  } catch (error) {
    logger.warn({ err: error }, 'the task did not succeed')
    return outcomeOfError(error, abort.signal)
  } finally {
    cancelTimer?.()
  }
}

async function parseParams(skill: Skill, params: Record<string, unknown>): Promise<unknown> {
  if (skill.params === undefined) return params
  const parsed = await skill.params.safeParseAsync(params)
  if (parsed.success) return parsed.data
  const issues = describeIssues(parsed.error)
  const where = issues.map(({ path, message }) => `${path || 'params'}: ${message}`).join('; ')
  throw new InvalidInputError(`Invalid params: ${where}`, {
    details: { issues: issues.map(({ path, message }) => ({ path, message })) },
  })
}

function contextOf(
  { payload, abort, logger, progress }: RunTaskOptions,
  params: unknown,
  deadlineAt: number | undefined,
): TaskContext<unknown> {
  return {
    params,
    taskId: payload.task_id,
    jobId: payload.job_id,
    type: payload.type,
    attempt: payload.attempt ?? 1,
    priority: payload.priority ?? 0,
    deadline: deadlineAt === undefined ? null : new Date(deadlineAt),
    signal: abort.signal,
    progress,
    logger,
    tracing: payload.tracing_context ?? {},
  }
}
