import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { isJsonObject, jsonObjectSchema } from '../json.ts'
import { parseRequest } from '../parse-request.ts'
import { securitySchema } from './records.ts'

/** The `event_type` of a progress report. */
export const PROGRESS_EVENT = 'progress'

/** Something a worker tells while it works. */
export const workerEventSchema = z.looseObject({
  /** Unique; a repeated event has the same id. */
  event_id: z.string().min(1).max(256).nullish(),
  /** Who sends it. */
  worker_id: identifierSchema,
  /** Where it comes from, if passed on. Default: `worker_id`. */
  origin_worker_id: z.string().nullish(),
  event_type: z.string().min(1).max(128),
  payload: jsonObjectSchema.nullish(),
  origin_task_id: z.string().nullish(),
  bubbling_chain: z.array(z.string()).nullish(),
  target_job_id: z.string().nullish(),
  target_task_id: z.string().nullish(),
  /** The same two, by the names that tasks and results use. */
  job_id: z.string().nullish(),
  task_id: z.string().nullish(),
  trace_context: z.record(z.string(), z.string()).nullish(),
  priority: z.number().nullish(),
  timestamp: z.number().nullish(),
  security: securitySchema.nullish(),
  metadata: jsonObjectSchema.nullish(),
})

/** Something a worker tells while it works. */
export type WorkerEvent = z.infer<typeof workerEventSchema>

/** The answer to an event. */
export const eventReplySchema = z.looseObject({
  /** `event_accepted` or `error`. */
  status: z.string(),
  code: z.string().nullish(),
  message: z.string().nullish(),
})

/** The answer to an event. */
export type EventReply = z.infer<typeof eventReplySchema>

/** An event, whatever generation sent it. */
export interface NormalisedEvent {
  readonly eventId?: string
  readonly workerId: string
  readonly originWorkerId: string
  readonly eventType: string
  readonly payload: Record<string, unknown>
  readonly jobId?: string
  readonly taskId?: string
  readonly priority: number
}

/** How far a task is. */
export interface Progress {
  /** As sent; 0 to 1 by the SDKs' documentation. */
  readonly progress: number
  readonly message?: string
}

/**
 * Reads an event (its job and task under either of their names), or the progress frame that older generations send over the WebSocket (with the
 * key `event` or `type`).
 *
 * @param senderId - the authenticated worker; used when the message does not name its sender.
 * @throws {@link InputError} `INVALID_REQUEST` when the kind of event is missing or a type is wrong.
 */
export function normaliseEvent(body: unknown, senderId: string): NormalisedEvent {
  const raw = parseRequest(workerEventSchema, foldProgressFrame(body, senderId), 'worker event')
  const jobId = raw.target_job_id ?? raw.job_id
  const taskId = raw.target_task_id ?? raw.task_id ?? raw.origin_task_id
  return {
    ...(raw.event_id != null && { eventId: raw.event_id }),
    workerId: raw.worker_id,
    originWorkerId: raw.origin_worker_id ?? raw.worker_id,
    eventType: raw.event_type,
    payload: raw.payload ?? {},
    ...(jobId != null && { jobId }),
    ...(taskId != null && { taskId }),
    priority: raw.priority ?? 0,
  }
}

/** The progress told by an event's payload, or `undefined` when it tells none. */
export function parseProgress(payload: unknown): Progress | undefined {
  if (!isJsonObject(payload)) return undefined
  const { progress, message } = payload
  if (typeof progress !== 'number' || !Number.isFinite(progress)) return undefined
  return typeof message === 'string' && message !== '' ? { progress, message } : { progress }
}

/** The payload of an event that reports progress. */
export function progressPayload(progress: number, message?: string): Record<string, unknown> {
  return message === undefined ? { progress } : { progress, message }
}

function foldProgressFrame(body: unknown, senderId: string): unknown {
  if (!isJsonObject(body)) return body
  const kind = body['event_type'] ?? body['event'] ?? body['type']
  const event = { ...body, worker_id: body['worker_id'] ?? senderId, event_type: kind }
  if (kind !== 'progress_update') return event
  const { progress, message } = body
  return {
    ...event,
    event_type: PROGRESS_EVENT,
    payload: body['payload'] ?? { progress, message },
  }
}
