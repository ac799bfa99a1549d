import { z } from 'zod'

import { parseRequest } from '../parse-request.ts'

/** How many webhook calls that were given up are listed when nobody says. */
export const DEFAULT_DEAD_LETTER_LIMIT = 100

/** Most webhook calls that are listed at once. */
export const MAX_DEAD_LETTERS = 1000

/** The query of the list, as text from the URL. */
export const deadLetterQuerySchema = z.looseObject({
  /** Most calls to list. Default {@link DEFAULT_DEAD_LETTER_LIMIT}. */
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, `must be a whole number from 1 to ${MAX_DEAD_LETTERS}`)
    .nullish(),
})

/** What a client wants to see of the webhook calls that were given up. */
export interface DeadLetterQuery {
  /** 1 to {@link MAX_DEAD_LETTERS}. */
  readonly limit: number
}

/** A webhook call that was given up. */
export const deadLetterViewSchema = z.looseObject({
  /** That of the delivery, as the receiver sees it in `x-avtomatika-delivery`. */
  id: z.string(),
  job_id: z.string(),
  event: z.string(),
  /** Of the webhook's URL; the rest may hold secrets, and is not shown. */
  host: z.string(),
  attempts: z.number(),
  /** What came of the last attempt. */
  reason: z.string(),
  /** ISO 8601, UTC. */
  failed_at: z.string(),
})

/** A webhook call that was given up. */
export type DeadLetterView = z.infer<typeof deadLetterViewSchema>

/** The webhook calls that were given up and that the caller may see, newest first. */
export const deadLettersViewSchema = z.looseObject({ dead_letters: z.array(deadLetterViewSchema) })

/** The webhook calls that were given up and that the caller may see, newest first. */
export type DeadLettersView = z.infer<typeof deadLettersViewSchema>

/** The answer when a webhook call is sent again. */
export const deadLetterResentSchema = z.looseObject({ status: z.literal('resent'), id: z.string() })

/** The answer when a webhook call is sent again. */
export type DeadLetterResent = z.infer<typeof deadLetterResentSchema>

/**
 * Reads the query of the list.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when the limit is no whole number from 1 to
 * {@link MAX_DEAD_LETTERS}.
 */
export function parseDeadLetterQuery(query: unknown): DeadLetterQuery {
  const { limit } = parseRequest(deadLetterQuerySchema, query, 'dead letter query')
  return { limit: limit == null ? DEFAULT_DEAD_LETTER_LIMIT : Number(limit) }
}
