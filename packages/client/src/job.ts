import { ConnectionError, isJsonObject, isTerminalJobStatus } from '@avtomatika/protocol'
import type { JobStatus } from '@avtomatika/protocol'

import { readApproval, readBranches } from './job-wait.ts'
import type { JobApproval, JobBranches } from './job-wait.ts'
import { numberOf, objectOf, textOf, timeOf } from './read-field.ts'

/** What went wrong with a job. */
export interface JobFailure {
  /** For programs; `UNKNOWN` from servers that only send a text. */
  readonly code: string
  readonly message: string
  readonly details: unknown
}

/**
 * A job as the server describes it. A field is `null` when the server does not send it (older ones
 * send fewer) or it is not set. Times are ms since 1970.
 *
 * @typeParam Result - the caller's word for what the job gives; not checked.
 */
export interface Job<Result = unknown> {
  readonly id: string
  /** One of the known statuses, or a new one of a newer server. */
  readonly status: JobStatus | (string & Record<never, never>)
  /** The node of the blueprint the job is in. */
  readonly currentState: string | null
  readonly blueprintName: string | null
  readonly blueprintVersion: string | null
  readonly initialData: Readonly<Record<string, unknown>> | null
  /** Data gathered by the states so far. */
  readonly stateHistory: Readonly<Record<string, unknown>> | null
  /** As the worker reported it, usually 0 to 1. */
  readonly progress: number | null
  readonly progressMessage: string | null
  readonly error: JobFailure | null
  /** `null` until the job has finished. */
  readonly result: Result | null
  readonly retryCount: number | null
  readonly currentTaskId: string | null
  /** The worker that holds the current task. */
  readonly workerId: string | null
  readonly parentJobId: string | null
  /** The job of another blueprint, while this one waits for it. */
  readonly childJobId: string | null
  /** 0 for a job that a client created, one more for each parent above. */
  readonly depth: number | null
  /** What a person is asked, while the job waits for one; decide with `client.approve`. */
  readonly approval: JobApproval | null
  /** How far parallel tasks are, while they are out. */
  readonly branches: JobBranches | null
  /** The name of the event, while the job waits for one; send it with `client.sendEvent`. */
  readonly waitingForEvent: string | null
  /** When the job goes on, while it sleeps or pauses before a retry. */
  readonly wakesAt: number | null
  /** Until when the whole job must have ended. */
  readonly deadlineAt: number | null
  readonly createdAt: number | null
  readonly updatedAt: number | null
  readonly finishedAt: number | null
  /** The document as it was sent, with fields this version does not know. */
  readonly raw: Readonly<Record<string, unknown>>
}

/**
 * Reads a job from a server of any generation. Only an id and a status are asked for; any other
 * field that is missing, or of a type we do not expect, is `null` and still in `raw`.
 *
 * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not a job.
 */
export function readJob<Result>(body: unknown): Job<Result> {
  const raw = isJsonObject(body) ? body : {}
  const id = textOf(raw, 'id') ?? textOf(raw, 'job_id')
  const status = textOf(raw, 'status')
  if (id === null || status === null) throw notAJob()
  return {
    id,
    status,
    currentState: textOf(raw, 'current_state') ?? textOf(raw, 'state'),
    blueprintName: textOf(raw, 'blueprint_name'),
    blueprintVersion: textOf(raw, 'blueprint_version'),
    initialData: objectOf(raw, 'initial_data'),
    stateHistory: objectOf(raw, 'state_history'),
    progress: numberOf(raw, 'progress'),
    progressMessage: textOf(raw, 'progress_message'),
    error: readFailure(raw, status),
    // The one place where the caller's type parameter is believed.
    result: (raw['result'] ?? null) as Result | null,
    retryCount: numberOf(raw, 'retry_count'),
    currentTaskId: textOf(raw, 'current_task_id'),
    workerId: textOf(raw, 'task_worker_id'),
    parentJobId: textOf(raw, 'parent_job_id'),
    childJobId: textOf(raw, 'child_job_id'),
    depth: numberOf(raw, 'depth'),
    approval: readApproval(objectOf(raw, 'approval')),
    branches: readBranches(objectOf(raw, 'branches')),
    waitingForEvent: textOf(raw, 'waiting_for_event'),
    wakesAt: timeOf(raw, 'wakes_at'),
    deadlineAt: timeOf(raw, 'deadline_at'),
    createdAt: timeOf(raw, 'created_at'),
    updatedAt: timeOf(raw, 'updated_at'),
    finishedAt: timeOf(raw, 'finished_at'),
    raw,
  }
}

// Older servers keep the text of an error that was retried with success since; it counts only once
// the job has ended badly.
function readFailure(raw: Record<string, unknown>, status: string): JobFailure | null {
  const error = objectOf(raw, 'error')
  const message = textOf(raw, 'error_message') ?? textOf(raw, 'error')
  if (error !== null) {
    return {
      code: textOf(error, 'code') ?? 'UNKNOWN',
      message: textOf(error, 'message') ?? message ?? '',
      details: error['details'],
    }
  }
  if (message === null || !isTerminalJobStatus(status) || status === 'finished') return null
  return { code: 'UNKNOWN', message, details: undefined }
}

function notAJob(): ConnectionError {
  return new ConnectionError('UNEXPECTED_RESPONSE', {
    message: 'The server sent no job: `id` and `status` are missing. Is `url` an orchestrator?',
  })
}
