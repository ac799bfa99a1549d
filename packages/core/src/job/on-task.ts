/** What workers do with a task: claim it, work on it, answer, or vanish. */
import { isTerminalJobStatus } from '@avtomatika/protocol'
import { tallyOf } from './branch-table.ts'
import { branchOf, eachRun, judgeBranch, progressOf, replaced, resultFor } from './branches.ts'
import { changed, ignored, type Decision } from './decision.ts'
import { draftOf, record } from './draft.ts'
import type {
  TaskClaimedEvent,
  TaskLostEvent,
  TaskProgressEvent,
  TaskResultEvent,
} from './event.ts'
import type { Job, TaskAnswer } from './job.ts'
import { branchOutcome, taskOutcome } from './outcome.ts'
import type { Rules } from './rules.ts'
import { judgeTask } from './single-task.ts'
import { asClaimed, claimedBy, lose, withoutFirstPickup, type ClaimedRun } from './task-run.ts'
import type { TaskInWait } from './task.ts'
import { tasksOf } from './wait.ts'

/** How many answers a job remembers beside those of its branches. */
const ANSWERS = 8

export function onTaskClaimed(job: Job, event: TaskClaimedEvent): Decision {
  const { wait } = job
  const found = find(job, event.taskId)
  if (found?.run.phase.kind !== 'offered') return ignored('stale_task')
  const { run, branch } = found
  const draft = draftOf(job, event.at)
  const { workerId, at } = event
  const claimed = claimedBy(run, workerId, at)
  if (wait?.for === 'task') draft.job.wait = { ...wait, ...claimed }
  if (wait?.for === 'branches' && branch !== null) {
    const isFirstPickup = job.lastWorkerId === null && job.dispatchTimeoutMs !== null
    const others = isFirstPickup ? eachRun(wait, withoutFirstPickup) : wait
    draft.job.wait = replaced(others, { ...branch, run: claimed })
  }
  draft.job.lastWorkerId = workerId
  record(draft, 'task_claimed', { ...naming(found), workerId })
  return changed(draft)
}

export function onTaskProgress(job: Job, event: TaskProgressEvent): Decision {
  const claimed = heldBy(job, event)
  if (claimed === null) return ignored('stale_task')
  if (claimed.phase.workerId !== event.workerId) return ignored('worker_mismatch')
  const draft = draftOf(job, event.at)
  const { wait } = job
  // Of several branches each is a share of the whole.
  draft.job.progress =
    wait?.for === 'branches'
      ? Math.min(1, progressOf(wait) + event.progress / tallyOf(wait.branches).total)
      : event.progress
  draft.job.progressMessage = event.message
  return changed(draft)
}

/** The lease of a task ran out, or its worker is gone. */
export function onTaskLost(job: Job, event: TaskLostEvent, rules: Rules): Decision {
  const { wait } = job
  const found = find(job, event.taskId)
  if (found === undefined || found.run.phase.kind === 'backing_off') return ignored('stale_task')
  const { run, branch } = found
  const draft = draftOf(job, event.at)
  const worker = run.phase.kind === 'claimed' ? { workerId: run.phase.workerId } : {}
  record(draft, 'task_lost', { ...naming(found), ...worker })
  const verdict = lose(draft, run, rules, branch?.name)
  if (wait?.for === 'task') judgeTask(draft, wait, verdict, rules)
  if (wait?.for === 'branches' && branch !== null) {
    judgeBranch(draft, wait, { branch, verdict }, rules)
  }
  return changed(draft)
}

/** A result counts once, and only from the worker that holds the live attempt (J4; D-13, D-14). */
export function onTaskResult(job: Job, event: TaskResultEvent, rules: Rules): Decision {
  const known = answerTo(job, event.taskId)
  if (known !== undefined) return { kind: 'repeated', answer: known }
  if (isTerminalJobStatus(job.status)) return ignored(whyEnded(job))
  const { wait } = job
  const found = find(job, event.taskId)
  const run = found && asClaimed(found.run)
  if (found === undefined || run == null) return ignored('stale_task')
  if (run.phase.workerId !== event.workerId) return ignored('worker_mismatch')
  const { attempt = run.attempt } = event
  if (attempt !== run.attempt) return ignored('stale_task')
  const draft = draftOf(job, event.at)
  const error = event.outcome.kind === 'failed' ? event.outcome.error : null
  record(draft, 'task_finished', {
    ...naming(found),
    workerId: run.phase.workerId,
    durationMs: draft.at - run.phase.claimedAt,
    ...(error && { error }),
  })
  let transition = 'accepted'
  if (wait?.for === 'task') transition = taskOutcome(draft, wait, event, rules)
  if (wait?.for === 'branches' && found.branch !== null) {
    transition = branchOutcome(draft, wait, { branch: found.branch, event }, rules)
  }
  const answer = { taskId: event.taskId, transition }
  draft.job.answers = [...job.answers, answer].slice(-ANSWERS)
  return changed(draft, answer)
}

/** The task with this id, if the job has it out. */
export function find(job: Job, taskId: string): TaskInWait | undefined {
  const { wait } = job
  if (wait?.for !== 'branches') return tasksOf(wait).find(({ run }) => run.taskId === taskId)
  const branch = branchOf(wait, taskId)
  // It may be an earlier attempt at that branch.
  return branch?.kind === 'out' && branch.run.taskId === taskId
    ? { run: branch.run, branch }
    : undefined
}

/** The task that a worker's message is about; without an id, the only one that it can mean. */
export function heldBy(
  job: Job,
  { taskId, workerId }: { readonly taskId: string | null; readonly workerId: string },
): ClaimedRun | null {
  if (taskId !== null) {
    const found = find(job, taskId)
    return found === undefined ? null : asClaimed(found.run)
  }
  const claimed = tasksOf(job.wait).flatMap(({ run }) => asClaimed(run) ?? [])
  if (job.wait?.for === 'task') return claimed[0] ?? null
  const own = claimed.filter((run) => run.phase.workerId === workerId)
  return own.length === 1 ? (own[0] ?? null) : null
}

function naming({ run, branch }: TaskInWait): { taskId: string; attempt: number; branch?: string } {
  const { taskId, attempt } = run
  return { taskId, attempt, ...(branch && { branch: branch.name }) }
}

function answerTo({ answers, wait, received }: Job, taskId: string): TaskAnswer | undefined {
  const given = answers.find((answer) => answer.taskId === taskId)
  if (given !== undefined) return given
  const present = wait?.for === 'branches' ? branchOf(wait, taskId) : undefined
  const ended = present ?? resultFor(received, taskId)
  // One with an error may have run into a deadline: then its worker was never answered.
  const isKnown =
    ended !== undefined && 'taskId' in ended && ended.taskId === taskId && ended.error === null
  return isKnown ? { taskId, transition: 'parallel_branch_accepted' } : undefined
}

function whyEnded(job: Job): Extract<Decision, { kind: 'ignored' }>['reason'] {
  if (job.status === 'cancelled') return 'job_cancelled'
  return job.error?.code === 'TIMEOUT_ERROR' ? 'deadline_exceeded' : 'job_already_terminated'
}
