import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { isJsonObject, jsonObjectSchema } from '../json.ts'
import { parseRequest } from '../parse-request.ts'
import { TASK_ERROR_CODES } from '../task-error-codes.ts'
import { fileMetadataSchema, securitySchema } from './records.ts'
import type { FileMetadata } from './records.ts'

/** Why a task failed, as sent. */
export const taskErrorSchema = z.looseObject({
  code: z.string().nullish(),
  message: z.string().nullish(),
  details: z.unknown().optional(),
  /** Our extension. Seconds the worker asks to wait before the next try. */
  retry_after: z.number().nonnegative().nullish(),
})

const outcomeFields = {
  /** Default `success`. Words other than success, failure and cancelled name a transition. */
  status: z.string().nullish(),
  data: z.unknown().optional(),
  error: z.union([z.string(), taskErrorSchema]).nullish(),
  /** First generation. */
  error_message: z.string().nullish(),
  data_metadata: z.record(z.string(), fileMetadataSchema).nullish(),
}

/** What a worker made of a task, in the words of any generation. */
export const taskResultSchema = z.looseObject({
  job_id: identifierSchema,
  task_id: z.string().min(1).max(256),
  worker_id: identifierSchema.nullish(),
  origin_worker_id: z.string().nullish(),
  ...outcomeFields,
  /** First generation: the outcome in a box. */
  result: z.unknown().optional(),
  security: securitySchema.nullish(),
  metadata: jsonObjectSchema.nullish(),
  timestamp: z.number().nullish(),
  costs: jsonObjectSchema.nullish(),
  /** Our extension. The attempt of the task payload. */
  attempt: z.int().positive().nullish(),
})

/** What a worker made of a task, in the words of any generation. */
export type TaskResult = z.infer<typeof taskResultSchema>

/** Why a task failed. */
export interface TaskFailure {
  /** One of {@link TASK_ERROR_CODES}, or a peer's own. */
  readonly code: string
  readonly message: string
  readonly details?: unknown
  /** How long the worker asks to wait before the next try, in ms. */
  readonly retryAfterMs?: number
}

/** A task's result, whatever generation sent it. */
export interface Result {
  readonly jobId: string
  readonly taskId: string
  readonly workerId?: string
  readonly attempt?: number
  readonly status: string
  readonly data?: unknown
  readonly error?: TaskFailure
  readonly dataMetadata?: Record<string, FileMetadata>
}

/** The answer to a result. `ignored` is final: the result must not be sent again. */
export const resultAckSchema = z.looseObject({
  /** `accepted`, `ignored`, or an older server's word for accepted. */
  status: z.string(),
  transition: z.string().nullish(),
  /** One of {@link IGNORED_REASONS}. */
  reason: z.string().nullish(),
  message: z.string().nullish(),
})

/** The answer to a result. */
export type ResultAck = z.infer<typeof resultAckSchema>

const boxSchema = z.looseObject({ result: z.looseObject(outcomeFields) })

/**
 * Reads a result of any generation: flat, or nested in `result`.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when an id is missing or a type is wrong.
 */
export function normaliseResult(body: unknown): Result {
  const raw = parseRequest(taskResultSchema, unbox(body), 'task result')
  const error = readFailure(raw)
  return {
    jobId: raw.job_id,
    taskId: raw.task_id,
    ...(raw.worker_id != null && { workerId: raw.worker_id }),
    ...(raw.attempt != null && { attempt: raw.attempt }),
    status: raw.status ?? 'success',
    ...(raw.data != null && { data: raw.data }),
    ...(error !== undefined && { error }),
    ...(raw.data_metadata != null && { dataMetadata: raw.data_metadata }),
  }
}

/** Lifts a nested outcome to the top; what is said at the top as well wins. */
function unbox(body: unknown): unknown {
  if (!isJsonObject(body) || !isJsonObject(body['result'])) return body
  // Checked while still in its box, so that an issue names the path as it was sent.
  const { result, ...top } = parseRequest(boxSchema, body, 'task result')
  const said = Object.entries(top).filter(([, value]) => value !== null && value !== undefined)
  return { ...result, ...Object.fromEntries(said) }
}

function readFailure(raw: TaskResult): TaskFailure | undefined {
  const sent = raw.error ?? raw.error_message
  if (sent === null || sent === undefined) return undefined
  if (typeof sent === 'string') return { code: TASK_ERROR_CODES.transient, message: sent }
  return {
    code: sent.code ?? TASK_ERROR_CODES.transient,
    message: sent.message ?? raw.error_message ?? 'The worker gave no message.',
    ...(sent.details != null && { details: sent.details }),
    ...(sent.retry_after != null && { retryAfterMs: sent.retry_after * 1000 }),
  }
}
