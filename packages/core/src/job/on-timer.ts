/** A deadline of a job, or of its present wait, has passed. */
import { branchesWhere } from './branch-table.ts'
import { judgeBranch, type OutBranch } from './branches.ts'
import { changed, ignored, type Decision } from './decision.ts'
import { draftOf, record, type Draft } from './draft.ts'
import type { TimerFiredEvent } from './event.ts'
import type { Job } from './job.ts'
import type { Rules } from './rules.ts'
import { judgeTask } from './single-task.ts'
import { expire } from './task-run.ts'
import type { BranchesWait, TaskRun } from './task.ts'
import { taskDeadline } from './task-deadline.ts'
import { endJob, enterState, readyStep } from './transition.ts'
import { unreachable } from './unreachable.ts'
import type { EpochMs, Target } from './vocabulary.ts'
import { jobDeadline } from './wait-effects.ts'
import { deadlineOf, type Wait } from './wait.ts'

export function onTimerFired(job: Job, event: TimerFiredEvent, rules: Rules): Decision {
  const { wait } = job
  if (event.key === 'job') return onJobTimer(job, event)
  // A timer of an earlier wait, or one that was moved, may still be on its way.
  if (wait === null || !isDue(deadlineOf(wait), event.at)) return ignored('stale_task')
  const draft = draftOf(job, event.at)
  runOut(draft, wait, event, rules)
  return changed(draft)
}

function onJobTimer(job: Job, { at }: TimerFiredEvent): Decision {
  if (!isDue(jobDeadline(job), at)) return ignored('stale_task')
  const draft = draftOf(job, at)
  const seconds = String((job.timeoutMs ?? 0) / 1000)
  const message = `The job did not end within ${seconds} s of its creation (job timeout); it was in state '${job.state}' with status ${job.status}.`
  endJob(draft, { status: 'failed', error: { code: 'TIMEOUT_ERROR', message } })
  return changed(draft)
}

function isDue(deadline: EpochMs | null, at: EpochMs): boolean {
  return deadline !== null && deadline <= at
}

function runOut(draft: Draft, wait: Wait, event: TimerFiredEvent, rules: Rules): void {
  switch (wait.for) {
    case 'retry':
      draft.job.status = 'running'
      return readyStep(draft)
    case 'sleep':
      return enterState(draft, { target: wait.next }, rules)
    case 'task': {
      const verdict = expire(draft, wait, dueTask(wait, event), rules)
      return judgeTask(draft, wait, verdict, rules)
    }
    case 'branches':
      return runOutBranches(draft, wait, event, rules)
    case 'approval': {
      record(draft, 'approval_expired', { details: { approvalId: wait.approvalId } })
      return goOrFail(draft, wait.onTimeout, `Nobody decided in time: ${wait.message}`, rules)
    }
    case 'event': {
      record(draft, 'event_wait_expired', { details: { name: wait.name } })
      return goOrFail(draft, wait.timeout, `The event '${wait.name}' did not come in time.`, rules)
    }
    case 'step':
    case 'child':
      return
    default:
      return unreachable(wait)
  }
}

/** Every branch whose time is up; the first one that ends the job, or the wait, ends the round. */
function runOutBranches(
  draft: Draft,
  wait: BranchesWait,
  event: TimerFiredEvent,
  rules: Rules,
): void {
  const due = branchesWhere(wait.branches, ({ dueAt }) => isDue(dueAt, event.at)).filter(
    (branch): branch is OutBranch =>
      branch.kind === 'out' && isDue(taskDeadline(branch.run), event.at),
  )
  for (const branch of due) {
    const present: Wait | null = draft.job.wait
    if (present?.for !== 'branches') return
    const options = { ...dueTask(branch.run, event), branch: branch.name }
    const verdict = expire(draft, branch.run, options, rules)
    judgeBranch(draft, present, { branch, verdict }, rules)
  }
}

function dueTask(
  { taskId }: TaskRun,
  { chance, reasons }: TimerFiredEvent,
): { chance: number; reason?: string } {
  const reason = reasons?.[taskId]
  return { chance, ...(reason !== undefined && { reason }) }
}

function goOrFail(draft: Draft, target: Target | null, message: string, rules: Rules): void {
  if (target !== null) return enterState(draft, { target }, rules)
  endJob(draft, { status: 'failed', error: { code: 'TIMEOUT_ERROR', message } })
}
