import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { isJsonObject, jsonObjectSchema } from '../json.ts'
import { parseRequest } from '../parse-request.ts'
import { eventReplySchema } from './event.ts'

/** Most events in one message. */
export const MAX_BATCHED_EVENTS = 100

/** Several events in one message; what counts is their order. Our extension. */
export const eventBatchSchema = z.looseObject({
  /** The sender; an event of the batch need not repeat it. */
  worker_id: identifierSchema.nullish(),
  /** Each as it would be sent alone. */
  events: z.array(jsonObjectSchema).min(1).max(MAX_BATCHED_EVENTS),
})

/** Several events in one message. */
export type EventBatch = z.infer<typeof eventBatchSchema>

/** The answers to a batch of events, in its order. */
export const eventBatchReplySchema = z.looseObject({
  status: z.string(),
  results: z.array(eventReplySchema),
})

/** The answers to a batch of events, in its order. */
export type EventBatchReply = z.infer<typeof eventBatchReplySchema>

/**
 * Reads a batch of events; `undefined` for a message that is a single event.
 *
 * @throws {@link InputError} `INVALID_REQUEST` for an empty batch, or one that is too large.
 */
export function parseEventBatch(body: unknown): readonly Record<string, unknown>[] | undefined {
  if (!isJsonObject(body) || body['events'] === undefined || body['event_type'] !== undefined) {
    return undefined
  }
  return parseRequest(eventBatchSchema, body, 'batch of events').events
}
