/** How a job looks to its client. Tokens and headers are not in the document to begin with (D-54). */
import { isTerminalJobStatus, type HistoryRow, type JobView } from '@avtomatika/protocol'
import type { HistoryRecord } from '../job/effect.ts'
import type { Job, TaskWait } from '../job/job.ts'

export function jobView(job: Job): JobView {
  const task = job.wait?.for === 'task' ? job.wait : null
  return {
    id: job.id,
    job_id: job.id,
    status: job.status,
    current_state: job.state,
    state: job.state,
    blueprint_name: job.blueprint.name,
    blueprint_version: job.blueprint.version,
    initial_data: { ...job.initialData },
    state_history: { ...job.stateHistory },
    progress: job.progress,
    progress_message: job.progressMessage,
    error_message: job.error?.message ?? null,
    error: job.error === null ? null : { ...job.error },
    result: isTerminalJobStatus(job.status) ? job.result : null,
    retry_count: job.retryCount,
    current_task_id: task?.taskId ?? null,
    task_worker_id: job.lastWorkerId,
    ...(task && taskFields(task)),
    created_at: iso(job.createdAt),
    updated_at: iso(job.updatedAt),
    finished_at: job.finishedAt === null ? null : iso(job.finishedAt),
    parent_job_id: job.parentId,
  }
}

function taskFields({ spec, transitions, attempt }: TaskWait): Partial<JobView> {
  const states = Object.entries(transitions).map(([status, { state }]) => [status, state])
  return {
    current_task_info: { type: spec.demand.type, priority: spec.priority, attempt },
    current_task_transitions: Object.fromEntries(states) as Record<string, string>,
  }
}

export function historyRow(record: HistoryRecord): HistoryRow {
  const { previousState, nextState, durationMs, workerId, attempt, error } = record
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
    context_snapshot: { status: record.status, ...(error && { error }) },
  }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
