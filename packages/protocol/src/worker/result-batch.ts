import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { jsonObjectSchema } from '../json.ts'
import { parseRequest } from '../parse-request.ts'
import { resultAckSchema } from './result.ts'

/** Most results in one message. */
export const MAX_BATCHED_RESULTS = 100

/** Several results in one message. Our extension. */
export const resultBatchSchema = z.looseObject({
  /** The sender; a result of the batch need not repeat it. */
  worker_id: identifierSchema.nullish(),
  /** Each as it would be sent alone. */
  results: z.array(jsonObjectSchema).min(1).max(MAX_BATCHED_RESULTS),
})

/** Several results in one message. */
export type ResultBatch = z.infer<typeof resultBatchSchema>

/** The answer to one result of a batch. */
export const batchedAckSchema = resultAckSchema.extend({
  /** Of the status `error`: what the result would have been refused with, sent alone. */
  code: z.string().nullish(),
  /** Of the status `error`: whether it is worth sending again. */
  retry: z.boolean().nullish(),
})

/** The answer to one result of a batch. */
export type BatchedAck = z.infer<typeof batchedAckSchema>

/** The answers to a batch, in its order. */
export const resultBatchReplySchema = z.looseObject({ results: z.array(batchedAckSchema) })

/** The answers to a batch, in its order. */
export type ResultBatchReply = z.infer<typeof resultBatchReplySchema>

/**
 * Reads a batch; its results are read one by one, so that a bad one spoils no other.
 *
 * @throws {@link InputError} `INVALID_REQUEST` for an empty batch, or one that is too large.
 */
export function parseResultBatch(body: unknown): readonly Record<string, unknown>[] {
  return parseRequest(resultBatchSchema, body, 'batch of results').results
}
