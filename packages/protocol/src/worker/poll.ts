import { z } from 'zod'

import { isJsonObject } from '../json.ts'
import { parseReply, parseRequest } from '../parse-request.ts'
import { taskPayloadSchema } from './task.ts'
import type { TaskPayload } from './task.ts'

/** Most tasks one poll may ask for. */
export const MAX_POLL_TASKS = 100

const listSchema = z.union([z.string(), z.array(z.string())])

/** The query of a poll, as text from the URL. */
export const pollQuerySchema = z.looseObject({
  /** Seconds to wait for a task. */
  timeout: z
    .string()
    .regex(/^\d{1,6}(\.\d{1,6})?$/, 'must be a number of seconds')
    .nullish(),
  /** Comma list. */
  available_skills: listSchema.nullish(),
  /** Comma list. */
  hot_skills: listSchema.nullish(),
  /** Most tasks to hand over at once; more than {@link MAX_POLL_TASKS} means that many. */
  max: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, 'must be a whole number from 1 on')
    .nullish(),
})

/** What a poll asks for. */
export interface PollQuery {
  /** How long to wait, in ms; absent = the server's default. The server may wait less. */
  readonly timeoutMs?: number
  /** Skills that can be started now; absent = all registered ones. Empty = none. */
  readonly availableSkills?: readonly string[]
  /** Skills whose models are loaded; absent = as said before. */
  readonly hotSkills?: readonly string[]
  /** 1 to {@link MAX_POLL_TASKS}, default 1. */
  readonly max: number
  /** Whether `max` was sent: only then may the answer be a {@link taskBatchSchema}. */
  readonly batch: boolean
}

/** The answer to a poll with `max`; without it the answer is one task payload. 204 = nothing. */
export const taskBatchSchema = z.looseObject({
  tasks: z.array(taskPayloadSchema),
  /** Ids of tasks to abort; for workers with the feature `cancel_in_poll`. */
  cancel_task_ids: z.array(z.string()).nullish(),
})

/** The answer to a poll with `max`. */
export type TaskBatch = z.infer<typeof taskBatchSchema>

/**
 * Reads the query of a poll.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when `timeout` or `max` is not a number.
 */
export function parsePollQuery(query: unknown): PollQuery {
  const raw = parseRequest(pollQuerySchema, query, 'poll query')
  return {
    ...(raw.timeout != null && { timeoutMs: Math.round(Number(raw.timeout) * 1000) }),
    ...(raw.available_skills != null && { availableSkills: splitList(raw.available_skills) }),
    ...(raw.hot_skills != null && { hotSkills: splitList(raw.hot_skills) }),
    max: Math.min(Number(raw.max ?? 1), MAX_POLL_TASKS),
    batch: raw.max != null,
  }
}

/**
 * Reads the answer to a poll: one task, a batch, or nothing. Some servers say "nothing" with
 * `null` or `{}` instead of 204.
 *
 * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when a task is malformed.
 */
export function parsePollReply(body: unknown): TaskPayload[] {
  if (body === undefined || body === null || body === '') return []
  if (isJsonObject(body)) {
    if (Object.keys(body).length === 0) return []
    if (Array.isArray(body['tasks'])) return parseReply(taskBatchSchema, body, 'tasks').tasks
  }
  return [parseReply(taskPayloadSchema, body, 'task')]
}

/** The tasks that the answer to a poll says to abort. */
export function cancelledInPoll(body: unknown): readonly string[] {
  if (!isJsonObject(body) || !Array.isArray(body['tasks'])) return []
  return parseReply(taskBatchSchema, body, 'tasks').cancel_task_ids ?? []
}

function splitList(list: string | readonly string[]): string[] {
  const parts = (typeof list === 'string' ? [list] : list).flatMap((part) => part.split(','))
  return [...new Set(parts.map((part) => part.trim()).filter((part) => part !== ''))]
}
