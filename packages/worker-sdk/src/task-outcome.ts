// What came of a handler, in the words of the wire.
import {
  describeIssues,
  isDeeperThan,
  isJsonObject,
  MAX_JSON_DEPTH,
  TASK_ERROR_CODES,
  type TaskErrorCode,
} from '@avtomatika/protocol'
import type { z } from 'zod'

import { abortCause, type AbortCause } from './task-abort.ts'
import { TaskError } from './task-error.ts'
import { ExplicitResult, type TaskResultFields } from './task-result.ts'

/** The part of a result message that tells what came of the task. JSON values only. */
export interface TaskOutcome {
  readonly status: string
  readonly data?: Record<string, unknown>
  readonly error?: OutcomeError
  readonly metadata?: Record<string, unknown>
}

// A type, not an interface: only types fit the index signature of the wire message.
type OutcomeError = {
  readonly code: string
  readonly message: string
  readonly details?: unknown
  /** Seconds. */
  readonly retry_after?: number
}

/** A failure with one of the known codes. */
export function failure(code: TaskErrorCode, message: string, details?: unknown): TaskOutcome {
  return {
    status: 'failure',
    error: { code, message, ...(details !== undefined && { details }) },
  }
}

/** Gives a task back. Orchestrators that know `released` offer it again and count no try. */
export function handedBack(why: 'shutdown' | 'no room' = 'shutdown'): TaskOutcome {
  const message =
    why === 'shutdown' ? 'Worker is shutting down' : 'Worker has no room for this task now'
  return failure(TASK_ERROR_CODES.transient, message, { released: true })
}

/** What a task promised to return. */
export interface ResultPromise {
  /** Checks the data of a success. */
  readonly result: z.ZodType | undefined
  /** Statuses of its own; `undefined` = any. */
  readonly outputStatuses: readonly string[] | undefined
}

/** What a handler's return value means. */
export async function outcomeOfValue(
  value: unknown,
  { result: schema, outputStatuses }: ResultPromise,
): Promise<TaskOutcome> {
  const result = await readResult(value, schema)
  if (!isPromised(result.status, outputStatuses)) {
    const known = ['success', ...(outputStatuses ?? [])].join(', ')
    return violation(`The task returned the status '${result.status}'; it declares ${known}.`)
  }
  if (result.status === 'success' && schema !== undefined) {
    const parsed = await schema.safeParseAsync(result.data)
    if (!parsed.success) {
      const issues = describeIssues(parsed.error)
      const where = issues.map(({ path, message }) => `${path || 'data'}: ${message}`).join('; ')
      return violation(`The result breaks the task's schema: ${where}`, { issues })
    }
    return encode({ ...result, data: parsed.data })
  }
  return encode(result)
}

/**
 * What it means that a handler threw.
 *
 * @param options.sendStacks - whether the stack of an unexpected error is told.
 */
export function outcomeOfError(
  error: unknown,
  { signal, sendStacks }: { readonly signal: AbortSignal; readonly sendStacks: boolean },
): TaskOutcome {
  // A task error says more than the abort that may have led to it.
  if (TaskError.is(error)) return outcomeOfTaskError(error)
  const cause = abortCause(signal)
  if (cause !== undefined) return outcomeOfAbort(cause)
  if (!(error instanceof Error)) return failure(TASK_ERROR_CODES.internal, String(error))
  const { message, stack } = error
  const details = sendStacks && stack !== undefined ? { stack } : undefined
  return failure(TASK_ERROR_CODES.internal, message, details)
}

/** What it means that a task ended because it was told to. */
export function outcomeOfAbort(cause: AbortCause): TaskOutcome {
  switch (cause) {
    case 'cancelled':
      return { status: 'cancelled' }
    case 'deadline':
      return failure(TASK_ERROR_CODES.timeout, 'The deadline of the task has passed.')
    case 'shutdown':
      return handedBack()
  }
}

/**
 * The Python SDK's handlers return `{ status, data?, error?, metadata? }`; an object with exactly
 * such keys is read that way, unless the task has a schema for its result that takes the object as
 * it is: a result may well have a field named `status`.
 */
async function readResult(
  value: unknown,
  schema: z.ZodType | undefined,
): Promise<TaskResultFields<unknown>> {
  if (ExplicitResult.is(value)) return value
  if (!isPythonForm(value)) return { status: 'success', data: value }
  const parsed = await schema?.safeParseAsync(value)
  return parsed?.success === true ? { status: 'success', data: value } : value
}

const COMMON_STATUSES: ReadonlySet<string> = new Set(['', 'success', 'failure', 'cancelled'])

function isPromised(status: string, outputStatuses: readonly string[] | undefined): boolean {
  return (
    outputStatuses === undefined || COMMON_STATUSES.has(status) || outputStatuses.includes(status)
  )
}

const PYTHON_KEYS: ReadonlySet<string> = new Set(['status', 'data', 'error', 'metadata'])

function isPythonForm(value: unknown): value is TaskResultFields<unknown> {
  return (
    isJsonObject(value) &&
    typeof value['status'] === 'string' &&
    Object.keys(value).every((key) => PYTHON_KEYS.has(key))
  )
}

/** Makes sure now that the result can be sent: later nobody could tell the job what was wrong. */
function encode({ status, data, error, metadata }: TaskResultFields<unknown>): TaskOutcome {
  if (isDeeperThan([data, error, metadata], MAX_JSON_DEPTH)) {
    return violation(`The result is circular or nested deeper than ${MAX_JSON_DEPTH} levels.`)
  }
  try {
    const json = toJson(data)
    const about = toJson(metadata)
    return {
      status: status === '' ? 'success' : status,
      data: json === undefined ? {} : isJsonObject(json) ? json : { data: json },
      ...(error !== undefined && error !== null && { error: readError(toJson(error)) }),
      ...(isJsonObject(about) && { metadata: about }),
    }
  } catch (cause) {
    // BigInt, or a toJSON of the author's that throws.
    const why = cause instanceof Error ? cause.message : String(cause)
    return violation(`The result cannot be written as JSON: ${why}`)
  }
}

/** The Python form allows a text, too, which means a transient error. */
function readError(error: unknown): OutcomeError {
  if (!isJsonObject(error)) return { code: TASK_ERROR_CODES.transient, message: String(error) }
  const { code, message, details } = error
  return {
    code: typeof code === 'string' ? code : TASK_ERROR_CODES.transient,
    message: typeof message === 'string' ? message : 'The handler gave no message.',
    ...(details !== undefined && details !== null && { details }),
  }
}

function outcomeOfTaskError({ code, message, details, retryAfterMs }: TaskError): TaskOutcome {
  const retryAfter =
    retryAfterMs === undefined ? {} : { retry_after: Math.max(0, retryAfterMs) / 1000 }
  const outcome = encode({
    status: 'failure',
    error: { code, message, ...(details !== undefined && { details }) },
  })
  if (outcome.error === undefined) return outcome
  return { status: outcome.status, error: { ...outcome.error, ...retryAfter } }
}

function violation(message: string, details?: unknown): TaskOutcome {
  return failure(TASK_ERROR_CODES.contractViolation, message, details)
}

function toJson(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined
  return text === undefined ? undefined : (JSON.parse(text) as unknown)
}
