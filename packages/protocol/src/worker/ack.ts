import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { parseRequest } from '../parse-request.ts'

/** Most tasks in one acknowledgement. */
export const MAX_ACKNOWLEDGED_TASKS = 1000

/** A worker says that it has got its tasks. Our extension. */
export const taskAckSchema = z.looseObject({
  worker_id: identifierSchema.nullish(),
  task_ids: z.array(z.string().min(1).max(256)).min(1).max(MAX_ACKNOWLEDGED_TASKS),
})

/** A worker says that it has got its tasks. */
export type TaskAck = z.infer<typeof taskAckSchema>

/** The answer to an acknowledgement. */
export const taskAckReplySchema = z.looseObject({
  status: z.string(),
  /** Tasks that the worker does not hold any more: it must not work on them. */
  cancel_task_ids: z.array(z.string()).nullish(),
})

/** The answer to an acknowledgement. */
export type TaskAckReply = z.infer<typeof taskAckReplySchema>

/**
 * Reads an acknowledgement.
 *
 * @returns the ids of the tasks, each once.
 * @throws {@link InputError} `INVALID_REQUEST` when it names no task, or something that is none.
 */
export function parseTaskAck(body: unknown): readonly string[] {
  return [...new Set(parseRequest(taskAckSchema, body, 'acknowledgement').task_ids)]
}
