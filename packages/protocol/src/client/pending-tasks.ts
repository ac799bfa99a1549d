import { z } from 'zod'

import { parseRequest } from '../parse-request.ts'

/** How many tasks on offer are listed when nobody says. */
export const DEFAULT_PENDING_LIMIT = 100

/** Most tasks on offer that are listed at once. */
export const MAX_PENDING_TASKS = 1000

/** The query of the list, as text from the URL. */
export const pendingTasksQuerySchema = z.looseObject({
  /** Most tasks to list. Default {@link DEFAULT_PENDING_LIMIT}. */
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, `must be a whole number from 1 to ${MAX_PENDING_TASKS}`)
    .nullish(),
})

/** What a client wants to see of the tasks on offer. */
export interface PendingTasksQuery {
  /** 1 to {@link MAX_PENDING_TASKS}. */
  readonly limit: number
}

/** Why some workers do not take a task. */
export const pendingReasonSchema = z.looseObject({
  /**
   * `skill`, `version`, `skill_type`, `input`, `resources`, `cost`, `reputation`, `draining`, `offline`,
   * `full` or `not_asking`; more may come.
   */
  reason: z.string(),
  /** Workers that this holds for; each counts once. */
  count: z.int().nonnegative(),
  text: z.string(),
})

/** A task that no worker has taken yet. */
export const pendingTaskSchema = z.looseObject({
  task_id: z.string(),
  job_id: z.string(),
  blueprint_name: z.string(),
  /** Name of the skill that is wanted. */
  type: z.string(),
  /** Of a parallel step; `null` for a task by itself. */
  branch: z.string().nullable(),
  priority: z.number(),
  attempt: z.int().positive(),
  /** ISO 8601, UTC: when the job first asked for it. */
  dispatched_at: z.string(),
  /** How long it has been wanted, over all attempts. */
  waiting_seconds: z.number().nonnegative(),
  /** ISO 8601, UTC: when it is given up; `null` for a task that waits for as long as it takes. */
  expires_at: z.string().nullable(),
  /** Why nobody takes it, in a sentence. */
  why: z.string(),
  /** Workers that are registered. */
  workers: z.int().nonnegative(),
  /** The same in numbers, the most frequent reason first. */
  reasons: z.array(pendingReasonSchema),
})

/** A task that no worker has taken yet. */
export type PendingTask = z.infer<typeof pendingTaskSchema>

/** The tasks on offer that the caller may see, the longest waiting first. */
export const pendingTasksViewSchema = z.looseObject({ tasks: z.array(pendingTaskSchema) })

/** The tasks on offer that the caller may see, the longest waiting first. */
export type PendingTasksView = z.infer<typeof pendingTasksViewSchema>

/**
 * Reads the query of the list.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when the limit is no whole number from 1 to
 * {@link MAX_PENDING_TASKS}.
 */
export function parsePendingTasksQuery(query: unknown): PendingTasksQuery {
  const { limit } = parseRequest(pendingTasksQuerySchema, query, 'pending tasks query')
  return { limit: limit == null ? DEFAULT_PENDING_LIMIT : Number(limit) }
}
