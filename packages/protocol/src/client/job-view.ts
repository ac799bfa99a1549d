import { z } from 'zod'

import { isJsonObject, jsonObjectSchema } from '../json.ts'
import { parseReply } from '../parse-request.ts'
import { isTerminalJobStatus, JOB_STATUSES } from '../status.ts'

const isoTimeSchema = z.string()

/** What went wrong with a job, for programs. */
export const jobErrorSchema = z.looseObject({
  code: z.string(),
  message: z.string(),
  details: z.unknown().optional(),
})

/** What went wrong with a job, for programs. */
export type JobError = z.infer<typeof jobErrorSchema>

/** A job as its client sees it. Times are ISO 8601 in UTC. */
export const jobViewSchema = z.looseObject({
  id: z.string(),
  /** Same as `id`. */
  job_id: z.string(),
  status: z.enum(JOB_STATUSES),
  /** The node of the blueprint the job is in. */
  current_state: z.string(),
  /** Same as `current_state`. */
  state: z.string(),
  blueprint_name: z.string(),
  blueprint_version: z.string().nullish(),
  initial_data: jsonObjectSchema,
  /** Data gathered by the states so far. */
  state_history: jsonObjectSchema,
  /** As the worker reported it, usually 0 to 1; `null` before the first report. */
  progress: z.number().nullable(),
  progress_message: z.string().nullable(),
  /** Same text as `error.message`. */
  error_message: z.string().nullable(),
  error: jobErrorSchema.nullable(),
  /** `null` until the job has finished. */
  result: z.unknown(),
  retry_count: z.number(),
  current_task_id: z.string().nullable(),
  task_worker_id: z.string().nullable(),
  current_task_info: z.unknown().optional(),
  current_task_transitions: z.unknown().optional(),
  created_at: isoTimeSchema.nullable(),
  updated_at: isoTimeSchema.nullable(),
  finished_at: isoTimeSchema.nullable(),
  parent_job_id: z.string().nullish(),
  child_job_id: z.string().nullish(),
})

/** A job as its client sees it. */
export type JobView = z.infer<typeof jobViewSchema>

const ABSENT: Omit<JobView, 'id' | 'job_id' | 'status' | 'current_state' | 'state'> = {
  blueprint_name: '',
  initial_data: {},
  state_history: {},
  progress: null,
  progress_message: null,
  error_message: null,
  error: null,
  result: null,
  retry_count: 0,
  current_task_id: null,
  task_worker_id: null,
  created_at: null,
  updated_at: null,
  finished_at: null,
}

/**
 * Reads a job from a server of any generation. Older ones leave out fields (and a compact server
 * hides `current_state`): those get their neutral value here, so callers find every field.
 *
 * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when `id` or `status` is missing or a type is wrong.
 */
export function parseJobView(body: unknown): JobView {
  if (!isJsonObject(body)) return parseReply(jobViewSchema, body, 'job')
  const id = body['id'] ?? body['job_id']
  const state = body['current_state'] ?? body['state'] ?? ''
  const error = body['error'] ?? errorFromMessage(body)
  return parseReply(
    jobViewSchema,
    { ...ABSENT, ...body, id, job_id: body['job_id'] ?? id, current_state: state, state, error },
    'job',
  )
}

function errorFromMessage(body: Record<string, unknown>): JobError | null {
  const { error_message: message, status } = body
  if (typeof message !== 'string' || typeof status !== 'string') return null
  if (!isTerminalJobStatus(status)) return null
  return { code: 'UNKNOWN', message }
}

/** The answer to an accepted wish to cancel. */
export const cancelAcceptedSchema = z.looseObject({
  status: z.literal('cancellation_request_accepted'),
})

/** The answer to an accepted wish to cancel. */
export type CancelAccepted = z.infer<typeof cancelAcceptedSchema>
