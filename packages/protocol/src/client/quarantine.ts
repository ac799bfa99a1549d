import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { jsonObjectSchema } from '../json.ts'
import { parseRequest, requireJsonObject } from '../parse-request.ts'
import { jobViewSchema } from './job-view.ts'

/** How many quarantined jobs are listed when nobody says. */
export const DEFAULT_QUARANTINE_LIMIT = 100

/** Most quarantined jobs that are listed, retried or discarded at once. */
export const MAX_QUARANTINE_JOBS = 1000

/** The query of the list, as text from the URL. */
export const quarantineQuerySchema = z.looseObject({
  /** Most jobs to list. Default {@link DEFAULT_QUARANTINE_LIMIT}. */
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, `must be a whole number from 1 to ${MAX_QUARANTINE_JOBS}`)
    .nullish(),
})

/** What a client wants to see of the quarantine. */
export interface QuarantineQuery {
  /** 1 to {@link MAX_QUARANTINE_JOBS}. */
  readonly limit: number
}

/** The quarantined jobs that the caller may see, newest first. */
export const quarantineViewSchema = z.looseObject({ jobs: z.array(jobViewSchema) })

/** The quarantined jobs that the caller may see, newest first. */
export type QuarantineView = z.infer<typeof quarantineViewSchema>

/** The body that lets a quarantined job go on; may be left out. */
export const retryJobBodySchema = z.looseObject({
  /** Laid over the job's data before the failed step runs again. */
  data: jsonObjectSchema.nullish(),
})

/** The body that lets a quarantined job go on. */
export type RetryJobBody = z.infer<typeof retryJobBodySchema>

/** How a quarantined job is to go on. */
export interface RetryJobRequest {
  /** Absent: with the data it has. */
  readonly data?: Record<string, unknown>
}

/** The answer when a quarantined job goes on. */
export const jobRetriedSchema = z.looseObject({
  status: z.literal('retried'),
  job_id: identifierSchema,
})

/** The answer when a quarantined job goes on. */
export type JobRetried = z.infer<typeof jobRetriedSchema>

/** The answer when a quarantined job was given up. */
export const jobDiscardedSchema = z.looseObject({
  status: z.literal('discarded'),
  job_id: identifierSchema,
})

/** The answer when a quarantined job was given up. */
export type JobDiscarded = z.infer<typeof jobDiscardedSchema>

const idsSchema = z.array(identifierSchema).min(1).max(MAX_QUARANTINE_JOBS)

/** The body that gives many quarantined jobs up. */
export const discardJobsBodySchema = z.looseObject({
  /** An id that comes twice counts once. */
  ids: idsSchema,
})

/** The body that gives many quarantined jobs up. */
export type DiscardJobsBody = z.infer<typeof discardJobsBodySchema>

/** Quarantined jobs to give up. */
export interface DiscardJobsRequest {
  /** Each once, in the order they were sent. */
  readonly ids: readonly string[]
}

/** The body that lets many quarantined jobs go on. */
export const retryJobsBodySchema = z.looseObject({
  /** An id that comes twice counts once. */
  ids: idsSchema,
  /** Laid over the data of each. */
  data: jsonObjectSchema.nullish(),
})

/** The body that lets many quarantined jobs go on. */
export type RetryJobsBody = z.infer<typeof retryJobsBodySchema>

/** Quarantined jobs that are to go on, and how. */
export interface RetryJobsRequest extends DiscardJobsRequest, RetryJobRequest {}

/** What became of one of many quarantined jobs. */
export const quarantineResultSchema = z.looseObject({
  job_id: z.string(),
  status: z.enum(['retried', 'discarded', 'error']),
  /** Why not; `null` unless the status is `error`. */
  error: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
})

/** What became of one of many quarantined jobs. */
export type QuarantineResult = z.infer<typeof quarantineResultSchema>

/** The answer when many were retried or discarded: one entry per id, in the order of the ids. */
export const quarantineResultsSchema = z.looseObject({ results: z.array(quarantineResultSchema) })

/** The answer when many were retried or discarded. */
export type QuarantineResults = z.infer<typeof quarantineResultsSchema>

/**
 * Reads the query of the list.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when the limit is no whole number from 1 to
 * {@link MAX_QUARANTINE_JOBS}.
 */
export function parseQuarantineQuery(query: unknown): QuarantineQuery {
  const { limit } = parseRequest(quarantineQuerySchema, query, 'quarantine query')
  return { limit: limit == null ? DEFAULT_QUARANTINE_LIMIT : Number(limit) }
}

/**
 * Reads the body that lets a quarantined job go on. No body at all is the same as `{}`.
 *
 * @throws {@link InputError} `INVALID_JSON` when the body is not an object, `INVALID_REQUEST` when
 * a field has the wrong type.
 */
export function parseRetryJobBody(body: unknown): RetryJobRequest {
  if (body === undefined || body === null || body === '') return {}
  const { data } = parseRequest(retryJobBodySchema, requireJsonObject(body), 'retry')
  return data == null ? {} : { data }
}

/**
 * Reads the body that lets many quarantined jobs go on.
 *
 * @throws {@link InputError} `INVALID_JSON` when the body is not an object, `INVALID_REQUEST` when
 * there are no ids, too many of them, or a field has the wrong type.
 */
export function parseRetryJobsBody(body: unknown): RetryJobsRequest {
  const { ids, data } = parseRequest(retryJobsBodySchema, requireJsonObject(body), 'retry')
  return { ids: [...new Set(ids)], ...(data != null && { data }) }
}

/**
 * Reads the body that gives many quarantined jobs up.
 *
 * @throws {@link InputError} `INVALID_JSON` when the body is not an object, `INVALID_REQUEST` when
 * there are no ids, too many of them, or a field has the wrong type.
 */
export function parseDiscardJobsBody(body: unknown): DiscardJobsRequest {
  const { ids } = parseRequest(discardJobsBodySchema, requireJsonObject(body), 'discard')
  return { ids: [...new Set(ids)] }
}
