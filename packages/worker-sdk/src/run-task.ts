import {
  describeIssues,
  PROGRESS_EVENT,
  STREAM_EVENT,
  TASK_ERROR_CODES,
  type TaskPayload,
} from '@avtomatika/protocol'

import type { Clock } from './clock.ts'
import type { HotCache } from './hot-cache.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'
import type { WorkerLogger } from './logger.ts'
import { withMiddleware, type TaskMiddleware } from './middleware.ts'
import type { Skill } from './skill.ts'
import { TaskAborted } from './task-abort.ts'
import type { TaskContext } from './task-context.ts'
import { InvalidInputError, TaskError } from './task-error.ts'
import {
  failure,
  outcomeOfAbort,
  outcomeOfError,
  outcomeOfValue,
  type TaskOutcome,
} from './task-outcome.ts'

/** As the protocol bounds it. */
const MAX_EVENT_NAME = 128

/** What running one task needs. */
export interface RunTaskOptions {
  readonly payload: TaskPayload
  /** `undefined` when this worker has no such task. */
  readonly skill: Skill | undefined
  readonly abort: AbortController
  readonly clock: Clock
  readonly logger: WorkerLogger
  readonly progress: (fraction: number, message?: string) => void
  readonly emit: (event: string, payload: Readonly<Record<string, unknown>>) => Promise<void>
  readonly stream: (chunk: unknown) => Promise<void>
  readonly hotCache: HotCache
  readonly middleware: readonly TaskMiddleware[]
  /** Whether the stack of an unexpected error is told to the orchestrator. */
  readonly sendStacks: boolean
}

/**
 * Runs one task to its end. Never rejects: whatever goes wrong becomes an outcome, because a task
 * without a result would be waited for in vain.
 */
export async function runTask(options: RunTaskOptions): Promise<TaskOutcome> {
  const { payload, skill, abort, clock, logger, sendStacks } = options
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
    const handle = withMiddleware(options.middleware, skill.handler)
    const value = await handle(contextOf(options, { skill, params, deadlineAt }))
    return await outcomeOfValue(value, skill)
  } catch (error) {
    logger.warn({ err: error }, 'the task did not succeed')
    return outcomeOfError(error, { signal: abort.signal, sendStacks })
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
  { payload, abort, logger, progress, emit, stream, hotCache }: RunTaskOptions,
  { skill, params, deadlineAt }: ContextFacts,
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
    emit: (event, eventPayload = {}) =>
      observed(emitChecked({ skill, emit }, event, eventPayload), (error) => {
        logger.warn({ err: error, event }, 'the event did not reach the job')
      }),
    stream: (chunk) =>
      observed(stream(chunk), (error) => {
        logger.warn({ err: error }, 'a piece of output did not reach the job')
      }),
    hotCache,
    idempotencyKey: idempotencyKeyOf(payload),
    logger,
    tracing: payload.tracing_context ?? {},
  }
}

interface ContextFacts {
  readonly skill: Skill
  readonly params: unknown
  readonly deadlineAt: number | undefined
}

/** Handlers need not wait for what they send, and what was refused must not end the process. */
function observed(sent: Promise<void>, onError: (error: unknown) => void): Promise<void> {
  sent.catch(onError)
  return sent
}

/** Does not wait before `emit` has the payload: the handler may change it, or emit the next one. */
async function emitChecked(
  { skill, emit }: Pick<RunTaskOptions, 'emit'> & { readonly skill: Skill },
  event: string,
  payload: Readonly<Record<string, unknown>>,
): Promise<void> {
  const problem = eventProblem(skill, event, payload)
  if (problem !== undefined) throw new TaskError(TASK_ERROR_CODES.contractViolation, problem)
  await emit(event, payload)
}

/** Progress has a report of its own, which is thinned out; as an event it would not be. */
function eventProblem({ events }: Skill, event: string, payload: unknown): string | undefined {
  if (event === '' || event.length > MAX_EVENT_NAME) {
    return `The name of an event has 1 to ${MAX_EVENT_NAME} characters, got ${JSON.stringify(event)}.`
  }
  if (event === STREAM_EVENT) return 'Output is sent with stream(…), not as an event.'
  if (event === PROGRESS_EVENT) return 'Progress is told with progress(…), not as an event.'
  if (events === undefined) return undefined
  const schema = events[event]
  if (schema === undefined) {
    return `The task does not declare the event '${event}'; it declares ${Object.keys(events).join(', ')}.`
  }
  const parsed = schema.safeParse(payload)
  if (parsed.success) return undefined
  const issues = describeIssues(parsed.error)
  const where = issues.map(({ path, message }) => `${path || 'payload'}: ${message}`).join('; ')
  return `The payload of the event '${event}' breaks its schema: ${where}`
}
