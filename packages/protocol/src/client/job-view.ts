import { z } from 'zod'

import { isJsonObject, jsonObjectSchema } from '../json.ts'
import { parseReply } from '../parse-request.ts'
import { pendingTaskSchema } from './pending-tasks.ts'
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

/** What a person is asked to decide. */
export const approvalViewSchema = z.looseObject({
  /** One per request: the next one of the same job has another. */
  id: z.string(),
  /** Who or what asks the person, such as `slack`; the blueprint's word. */
  integration: z.string(),
  message: z.string(),
  /** What can be decided. */
  decisions: z.array(z.string()),
  /** `null` when there is no hurry. */
  expires_at: isoTimeSchema.nullish(),
  /** By decision, the path (with its query) that decides so, once; empty when none are given out. */
  links: z.record(z.string(), z.string()).nullish(),
})

/** What a person is asked to decide. */
export type ApprovalView = z.infer<typeof approvalViewSchema>

const countSchema = z.int().nonnegative()

/** How far the branches of a parallel step are. The last four add up to `total`. */
export const branchCountsSchema = z.looseObject({
  total: countSchema,
  done: countSchema,
  failed: countSchema,
  /** With a worker. */
  running: countSchema,
  /** For a worker, for their turn or for their next attempt. */
  waiting: countSchema,
})

/** How far the branches of a parallel step are. */
export type BranchCounts = z.infer<typeof branchCountsSchema>

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
  /** The job of another blueprint, while this one waits for it. */
  child_job_id: z.string().nullish(),
  /** 0 for a job that a client created, one more for each parent above. */
  depth: countSchema.nullish(),
  /** Until when the whole job must have ended. */
  deadline_at: isoTimeSchema.nullish(),
  /** While the job waits for a person. */
  approval: approvalViewSchema.nullish(),
  /** Tasks that no worker has taken for a second or longer, and why; at most 20. */
  pending_tasks: z.array(pendingTaskSchema).nullish(),
  /** While parallel tasks are out. */
  branches: branchCountsSchema.nullish(),
  /** The name of the event, while the job waits for one. */
  waiting_for_event: z.string().nullish(),
  /** When the job goes on, while it sleeps or pauses before a retry. */
  wakes_at: isoTimeSchema.nullish(),
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
  parent_job_id: null,
  child_job_id: null,
  depth: null,
  deadline_at: null,
  approval: null,
  branches: null,
  waiting_for_event: null,
  wakes_at: null,
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
