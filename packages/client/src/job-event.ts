import {
  jobChunkEventSchema,
  jobGapEventSchema,
  jobProgressEventSchema,
  jobStatusEventSchema,
  jobStreamEndSchema,
  parseReply,
} from '@avtomatika/protocol'
import type { JobStatus, JobStreamEndReason } from '@avtomatika/protocol'

import type { ServerSentEvent } from './event-stream.ts'
import { parseJsonOrText } from './read-body.ts'
import { timeOf } from './read-field.ts'

/** The job has another status or state; the first event of all. */
export interface JobStatusChange {
  readonly type: 'status'
  /** One of the known statuses, or a new one of a newer server. */
  readonly status: JobStatus | (string & Record<never, never>)
  readonly currentState: string
  /** In ms since 1970. */
  readonly updatedAt: number | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** How far the job's task is. */
export interface JobProgress {
  readonly type: 'progress'
  /** 0 to 1. */
  readonly progress: number
  readonly message: string | null
}

/** A piece of a task's output; those of one task come in the order in which its worker sent them. */
export interface JobChunk {
  readonly type: 'chunk'
  readonly taskId: string
  readonly workerId: string
  /** The worker's own count, if it keeps one. */
  readonly seq: number | null
  readonly chunk: unknown
}

/** The connection was lost for too long: pieces of output may be missing, or come again. */
export interface JobGap {
  readonly type: 'gap'
}

/** The job has ended, or was forgotten (`job_gone`); the last event of all. */
export interface JobEnd {
  readonly type: 'end'
  readonly reason: 'job_ended' | 'job_gone'
}

/** What one sees who watches a job. */
export type JobEvent = JobStatusChange | JobProgress | JobChunk | JobGap | JobEnd

/** The server ends the stream, and the job goes on. */
export interface StreamCut {
  readonly type: 'cut'
  readonly reason: Exclude<JobStreamEndReason, JobEnd['reason']>
}

/**
 * Reads an event of a job's stream; `undefined` for one that newer servers have.
 * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` for one that does not hold what its name says.
 */
export function readJobEvent({ name, data }: ServerSentEvent): JobEvent | StreamCut | undefined {
  const body = parseJsonOrText(data)
  switch (name) {
    case 'status':
      return readStatus(body)
    case 'progress': {
      const { progress, message = null } = parseReply(jobProgressEventSchema, body, EVENT)
      return { type: 'progress', progress, message }
    }
    case 'chunk': {
      const { task_id: taskId, worker_id: workerId, seq, chunk } = readChunk(body)
      return { type: 'chunk', taskId, workerId, seq: seq ?? null, chunk }
    }
    case 'gap':
      parseReply(jobGapEventSchema, body, EVENT)
      return { type: 'gap' }
    case 'end':
      return readEnd(body)
    default:
      return undefined
  }
}

const EVENT = "event of a job's stream"

function readChunk(body: unknown): ReturnType<typeof jobChunkEventSchema.parse> {
  return parseReply(jobChunkEventSchema, body, EVENT)
}

function readStatus(body: unknown): JobStatusChange {
  const said = parseReply(jobStatusEventSchema, body, EVENT)
  const { status, state: currentState, error } = said
  const failure = error == null ? null : { code: error.code, message: error.message }
  return {
    type: 'status',
    status,
    currentState,
    updatedAt: timeOf(said, 'updated_at'),
    error: failure,
  }
}

function readEnd(body: unknown): JobEnd | StreamCut {
  const { reason } = parseReply(jobStreamEndSchema, body, EVENT)
  if (reason === 'job_ended' || reason === 'job_gone') return { type: 'end', reason }
  return { type: 'cut', reason }
}
