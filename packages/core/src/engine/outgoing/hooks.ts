/** What a host is told about its jobs. */
import { isTerminalJobStatus, type JsonObject, type JsonValue } from '@avtomatika/protocol'
import type { HistoryRecord } from '../../job/effect.ts'
import type { Job } from '../../job/job.ts'
import type { EngineParts } from '../engine-parts.ts'

/** A worker's event, or one that a handler sent in its own job's name. */
export interface WorkerEventNotice {
  readonly jobId: string
  /** `null` for an event that a handler sent. */
  readonly workerId: string | null
  readonly taskId: string | null
  readonly type: string
  readonly payload: JsonObject
}

/**
 * Called at least once each, soon after the fact, by the orchestrator that wrote the history row.
 * What they throw is logged and changes nothing.
 */
export interface Hooks {
  /** A job has ended: finished, failed, quarantined or cancelled. */
  readonly onJobFinished?: (job: Job) => void | Promise<void>
  readonly onWorkerEvent?: (event: WorkerEventNotice) => void | Promise<void>
}

const ENDED = /^job_(finished|failed|quarantined|cancelled)$/

/** Tells the host what these history rows mean to it. */
export async function callHooks(
  { storage, log }: EngineParts,
  { onJobFinished, onWorkerEvent }: Hooks,
  records: readonly HistoryRecord[],
): Promise<void> {
  for (const record of records) {
    // Not within the `try`: when storage is away, the rows must come again.
    const hasEnded = onJobFinished !== undefined && ENDED.test(record.type)
    const job = hasEnded ? await storage.findJob(record.jobId) : undefined
    try {
      // One that an operator has let go on meanwhile will end again.
      if (job !== undefined && isTerminalJobStatus(job.status)) await onJobFinished?.(job)
      const notice = onWorkerEvent && noticeOf(record)
      if (notice !== undefined) await onWorkerEvent?.(notice)
    } catch (error) {
      log.error({ err: error, jobId: record.jobId, type: record.type }, 'a hook of the host failed')
    }
  }
}

function noticeOf({
  jobId,
  type,
  workerId,
  taskId,
  details = {},
}: HistoryRecord): WorkerEventNotice | undefined {
  if (type !== 'worker_event' && type !== 'event_sent') return undefined
  const { type: eventType, payload, name, data, to = null } = details
  // What was sent to another job is that one's event.
  if (to !== null) return undefined
  return {
    jobId,
    workerId: workerId ?? null,
    taskId: taskId ?? null,
    type: textOf(eventType ?? name),
    payload: (payload ?? data ?? {}) as JsonObject,
  }
}

// We wrote the row ourselves; the type of its details is lost on the way.
function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}
