import type { HistoryRow } from '@avtomatika/protocol'
import type { HistoryRecord } from '../job/effect.ts'
import { iso } from './job-view.ts'

/** How a row of a job's history looks to its client. */
export function historyRow(record: HistoryRecord): HistoryRow {
  const { previousState, nextState, durationMs, workerId, attempt } = record
  const { status, error, details, branch } = record
  return {
    event_id: record.eventId,
    job_id: record.jobId,
    timestamp: iso(record.at),
    event_type: record.type,
    state: record.state,
    previous_state: previousState ?? null,
    next_state: nextState ?? null,
    duration_ms: durationMs ?? null,
    worker_id: workerId ?? null,
    attempt_number: attempt ?? null,
    context_snapshot: {
      status,
      ...(error && { error }),
      ...(details && { details }),
      ...(branch !== undefined && { branch }),
    },
  }
}
