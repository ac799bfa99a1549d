/** How a job looks to its client. Tokens and headers are not in the document to begin with (D-54). */
import { isTerminalJobStatus, type JobView } from '@avtomatika/protocol'
import { tallyOf } from '../job/branch-table.ts'
import type { Job } from '../job/job.ts'
import type { BranchesWait, TaskWait } from '../job/task.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import type { ApprovalWait } from '../job/wait.ts'

/** Where each decision is made, by decision. */
export type ApprovalPaths = Readonly<Record<string, string>>

/**
 * The view of a job.
 * @param paths - those of its approval, for who may have them. Default: none.
 */
export function jobView(job: Job, paths: ApprovalPaths = {}): JobView {
  const { wait, timeoutMs } = job
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
    // A task counts its own retries; a step that waits for one has none left to tell.
    retry_count: wait?.for === 'task' ? wait.retries : job.retryCount,
    current_task_id: wait?.for === 'task' ? wait.taskId : null,
    task_worker_id: job.lastWorkerId,
    ...(wait?.for === 'task' && taskFields(wait)),
    created_at: iso(job.createdAt),
    updated_at: iso(job.updatedAt),
    finished_at: isoOrNull(job.finishedAt),
    deadline_at: isoOrNull(timeoutMs === null ? null : job.createdAt + timeoutMs),
    wakes_at: isoOrNull(wakesAt(job)),
    parent_job_id: job.parentId,
    child_job_id: wait?.for === 'child' ? wait.childId : null,
    depth: job.depth,
    approval: wait?.for === 'approval' ? approvalView(wait, paths) : null,
    branches: wait?.for === 'branches' ? branchCounts(wait) : null,
    waiting_for_event: wait?.for === 'event' ? wait.name : null,
  }
}

/** A moment as clients read it. */
export function iso(at: EpochMs): string {
  return new Date(at).toISOString()
}

function isoOrNull(at: EpochMs | null): string | null {
  return at === null ? null : iso(at)
}

function taskFields({ spec, transitions, attempt }: TaskWait): Partial<JobView> {
  const states = Object.entries(transitions).map(([status, { state }]) => [status, state])
  return {
    current_task_info: { type: spec.demand.type, priority: spec.priority, attempt },
    current_task_transitions: Object.fromEntries(states) as Record<string, string>,
  }
}

/** When a job goes on by itself; `null` while it waits for something else than time. */
function wakesAt({ wait }: Job): EpochMs | null {
  if (wait?.for === 'sleep' || wait?.for === 'retry') return wait.until
  return wait?.for === 'task' && wait.phase.kind === 'backing_off' ? wait.phase.until : null
}

function approvalView(wait: ApprovalWait, paths: ApprovalPaths): JobView['approval'] {
  return {
    id: wait.approvalId,
    integration: wait.integration,
    message: wait.message,
    decisions: Object.keys(wait.transitions),
    expires_at: isoOrNull(wait.deadlineAt),
    links: { ...paths },
  }
}

function branchCounts({ branches }: BranchesWait): JobView['branches'] {
  const { total, waiting, out, claimed, done, failed } = tallyOf(branches)
  // One that no worker has waits, whether or not it is on offer.
  return { total, done: done - failed, failed, running: claimed, waiting: waiting + out - claimed }
}
