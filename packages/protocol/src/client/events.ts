import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { jsonObjectSchema } from '../json.ts'
import { parseRequest, requireJsonObject } from '../parse-request.ts'

/** The body that sends a job an event. */
export const jobEventBodySchema = z.looseObject({
  /** What happened; a blueprint waits for it by this name. */
  name: z.string().min(1).max(128),
  /** Default: `{}`. */
  data: jsonObjectSchema.nullish(),
  /** An event with an id that the job has seen counts once. Default: a new one. */
  event_id: z.string().min(1).max(255).nullish(),
})

/** The body that sends a job an event. */
export type JobEventBody = z.infer<typeof jobEventBodySchema>

/** An event that a client sends. */
export interface JobEventRequest {
  readonly name: string
  readonly data: Record<string, unknown>
  /** Absent: the event is a new one. */
  readonly eventId?: string
}

/**
 * What became of an event: the job had waited for it and goes on (`received`), keeps it until it
 * waits for it (`stored`), or has had it before (`repeated`).
 */
export const JOB_EVENT_OUTCOMES = ['received', 'stored', 'repeated'] as const

/** One of {@link JOB_EVENT_OUTCOMES}. */
export type JobEventOutcome = (typeof JOB_EVENT_OUTCOMES)[number]

/** The answer to an event (202). */
export const jobEventAcceptedSchema = z.looseObject({
  status: z.literal('accepted'),
  job_id: identifierSchema,
  outcome: z.enum(JOB_EVENT_OUTCOMES),
})

/** The answer to an event (202). */
export type JobEventAccepted = z.infer<typeof jobEventAcceptedSchema>

/**
 * Reads the body that sends a job an event.
 *
 * @throws {@link InputError} `INVALID_JSON` when the body is not an object, `INVALID_REQUEST` when
 * the name is missing or a field has the wrong type.
 */
export function parseJobEventBody(body: unknown): JobEventRequest {
  const raw = parseRequest(jobEventBodySchema, requireJsonObject(body), 'event')
  return {
    name: raw.name,
    data: raw.data ?? {},
    ...(raw.event_id != null && { eventId: raw.event_id }),
  }
}
