import { z } from 'zod'

import { jsonObjectSchema } from '../json.ts'
import { parseReply } from '../parse-request.ts'

/** The one command with a fixed meaning: abort a task. */
export const CANCEL_TASK = 'cancel_task'

/**
 * An order to a worker over its WebSocket. Sent with the name under both keys: the first
 * generation reads `type`, the later ones `command`.
 */
export const workerCommandSchema = z.looseObject({
  command: z.string().nullish(),
  type: z.string().nullish(),
  task_id: z.string().nullish(),
  job_id: z.string().nullish(),
  params: jsonObjectSchema.nullish(),
  metadata: jsonObjectSchema.nullish(),
})

/** An order to a worker over its WebSocket. */
export type WorkerCommand = z.infer<typeof workerCommandSchema>

/** The order to abort a task. */
export function cancelTaskCommand(jobId: string, taskId: string): WorkerCommand {
  return { command: CANCEL_TASK, type: CANCEL_TASK, task_id: taskId, job_id: jobId }
}

/**
 * Reads an order.
 *
 * @returns the message with `name`, the order's name from whichever key has it (`''` if none).
 * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when a type is wrong.
 */
export function parseCommand(body: unknown): WorkerCommand & { readonly name: string } {
  const command = parseReply(workerCommandSchema, body, 'worker command')
  return { ...command, name: command.command ?? command.type ?? '' }
}
