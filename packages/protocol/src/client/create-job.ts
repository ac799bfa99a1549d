import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { isJsonObject, jsonObjectSchema } from '../json.ts'
import { parseRequest, requireJsonObject } from '../parse-request.ts'

/** Longest timeout a client may ask for, in seconds: 30 days. */
export const MAX_TIMEOUT_SECONDS = 86_400 * 30

const timeoutSchema = z.number().positive().max(MAX_TIMEOUT_SECONDS)

/** The body that creates a job, in its full form. */
export const createJobEnvelopeSchema = z.looseObject({
  initial_data: jsonObjectSchema,
  /** Told when the job ends. */
  webhook_url: z.string().min(1).max(2048).nullish(),
  /** Seconds until a worker must have taken a task. */
  dispatch_timeout: timeoutSchema.nullish(),
  /** Seconds until a task's result must be there. */
  result_timeout: timeoutSchema.nullish(),
  /** Seconds from its creation until the job must have ended. */
  job_timeout: timeoutSchema.nullish(),
  security: jsonObjectSchema.nullish(),
  metadata: jsonObjectSchema.nullish(),
})

/** The body that creates a job, in its full form. */
export type CreateJobEnvelope = z.infer<typeof createJobEnvelopeSchema>

/** What a client asks for, whatever shape it was sent in. Absent means: the default. */
export interface CreateJobRequest {
  readonly initialData: Record<string, unknown>
  readonly webhookUrl?: string
  /** Until a worker must have taken a task, in ms. */
  readonly dispatchTimeoutMs?: number
  /** Until a task's result must be there, in ms. */
  readonly resultTimeoutMs?: number
  /** From its creation until the job must have ended, in ms. */
  readonly jobTimeoutMs?: number
  readonly security?: Record<string, unknown>
  readonly metadata?: Record<string, unknown>
}

/** The answer to an accepted job (202). */
export const jobAcceptedSchema = z.looseObject({
  status: z.literal('accepted'),
  job_id: identifierSchema,
})

/** The answer to an accepted job (202). */
export type JobAccepted = z.infer<typeof jobAcceptedSchema>

const OPTION_KEYS: ReadonlySet<string> = new Set([
  'webhook_url',
  'dispatch_timeout',
  'result_timeout',
  'job_timeout',
  'security',
  'metadata',
])

/**
 * Reads the body that creates a job, in any of its three shapes:
 * `{initial_data, …options}`, `{data, …options}`, or the initial data itself.
 *
 * @throws {@link InputError} `INVALID_JSON` when the body is not an object, `INVALID_REQUEST` when
 * a field has the wrong type.
 */
export function parseCreateJobBody(body: unknown): CreateJobRequest {
  const sent = toEnvelope(requireJsonObject(body))
  const envelope = parseRequest(createJobEnvelopeSchema, sent, 'job request')
  return {
    initialData: envelope.initial_data,
    ...(envelope.webhook_url != null && { webhookUrl: envelope.webhook_url }),
    ...(envelope.dispatch_timeout != null && {
      dispatchTimeoutMs: envelope.dispatch_timeout * 1000,
    }),
    ...(envelope.result_timeout != null && { resultTimeoutMs: envelope.result_timeout * 1000 }),
    ...(envelope.job_timeout != null && { jobTimeoutMs: envelope.job_timeout * 1000 }),
    ...(envelope.security != null && { security: envelope.security }),
    ...(envelope.metadata != null && { metadata: envelope.metadata }),
  }
}

/**
 * Initial data may itself have a member called `data` or `metadata`. So a body without
 * `initial_data` counts as an envelope only when *every* key of it belongs to one; a body with any
 * key of its own is taken whole as initial data, as the first generation did.
 */
function toEnvelope(body: Record<string, unknown>): Record<string, unknown> {
  if (Object.hasOwn(body, 'initial_data')) return body
  const keys = Object.keys(body)
  const options = keys.filter((key) => OPTION_KEYS.has(key))
  if (isJsonObject(body['data']) && options.length === keys.length - 1) {
    const { data, ...rest } = body
    return { ...rest, initial_data: data }
  }
  if (keys.length > 0 && options.length === keys.length) return { ...body, initial_data: {} }
  return { initial_data: body }
}
