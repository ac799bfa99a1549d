import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'

/** The names of the events in a job's event stream. */
export const JOB_STREAM_EVENTS = ['status', 'progress', 'chunk', 'gap', 'end'] as const

/** One of {@link JOB_STREAM_EVENTS}. */
export type JobStreamEventName = (typeof JOB_STREAM_EVENTS)[number]

/** `status`: the job has another status or state; the first event of every stream. */
export const jobStatusEventSchema = z.looseObject({
  job_id: identifierSchema,
  status: z.string(),
  state: z.string(),
  /** ISO 8601. */
  updated_at: z.string(),
  error: z.looseObject({ code: z.string(), message: z.string() }).nullish(),
})

/** `status`: the job has another status or state. */
export type JobStatusEvent = z.infer<typeof jobStatusEventSchema>

/** `progress`: how far the job's task is. */
export const jobProgressEventSchema = z.looseObject({
  job_id: identifierSchema,
  /** From 0 to 1. */
  progress: z.number(),
  message: z.string().nullish(),
})

/** `progress`: how far the job's task is. */
export type JobProgressEvent = z.infer<typeof jobProgressEventSchema>

/** `chunk`: a piece of a task's output, in the order in which its worker sent them. */
export const jobChunkEventSchema = z.looseObject({
  job_id: identifierSchema,
  task_id: z.string(),
  worker_id: z.string(),
  /** The worker's own count, if it keeps one. */
  seq: z.int().nullish(),
  chunk: z.unknown(),
})

/** `chunk`: a piece of a task's output. */
export type JobChunkEvent = z.infer<typeof jobChunkEventSchema>

/** `gap`: pieces after the one named in `Last-Event-ID` may be missing, or come again. */
export const jobGapEventSchema = z.looseObject({
  job_id: identifierSchema,
  last_event_id: z.string(),
})

/** `gap`: pieces may be missing, or come again. */
export type JobGapEvent = z.infer<typeof jobGapEventSchema>

/**
 * Why a stream ends: the job has (`job_ended`); the reader took too long to read (`too_slow`), or the
 * orchestrator stops (`stopped`), and the reader may come back; the job is forgotten (`job_gone`).
 */
export const JOB_STREAM_END_REASONS = ['job_ended', 'too_slow', 'stopped', 'job_gone'] as const

/** One of {@link JOB_STREAM_END_REASONS}. */
export type JobStreamEndReason = (typeof JOB_STREAM_END_REASONS)[number]

/** `end`: the last event. */
export const jobStreamEndSchema = z.looseObject({
  job_id: identifierSchema,
  reason: z.enum(JOB_STREAM_END_REASONS),
})

/** `end`: the last event. */
export type JobStreamEnd = z.infer<typeof jobStreamEndSchema>
