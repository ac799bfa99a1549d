/** What a worker's result does to its job. Both answer the word that the worker is told. */
import { endBranch, judgeBranch, replaced, type OutBranch } from './branches.ts'
import type { Draft } from './draft.ts'
import type { TaskResultEvent } from './event.ts'
import type { Rules } from './rules.ts'
import { failInto, follow, judgeTask, takeData, targetOf } from './single-task.ts'
import { judge, nextAttempt, type Verdict } from './task-run.ts'
import type { BranchesWait, TaskRun, TaskWait } from './task.ts'
import { endJob, enterState } from './transition.ts'
import { unreachable } from './unreachable.ts'
import type { JobError } from './vocabulary.ts'

const UNEXPLAINED: JobError = {
  code: 'TRANSIENT_ERROR',
  message: 'The worker reported a failure without an error.',
}

export function taskOutcome(
  draft: Draft,
  wait: TaskWait,
  { outcome, chance }: TaskResultEvent,
  rules: Rules,
): string {
  switch (outcome.kind) {
    case 'completed':
      if (!takeData(draft, outcome.data, rules)) return 'failure_handled'
      return follow(draft, wait, outcome.status, rules)
    case 'failed': {
      const target = targetOf(wait.transitions, 'failure')
      if (outcome.error === null && target !== undefined) {
        if (!takeData(draft, outcome.data, rules)) return 'failure_handled'
        failInto(draft, target, null, rules)
        return 'failure_transition'
      }
      const failure = { error: outcome.error ?? UNEXPLAINED, chance }
      judgeTask(draft, wait, judge(draft, wait, failure, rules), rules)
      return 'failure_handled'
    }
    case 'cancelled': {
      const target = targetOf(wait.transitions, 'cancelled')
      if (target === undefined) endJob(draft, { status: 'cancelled' })
      else enterState(draft, { target }, rules)
      return 'cancelled_handled'
    }
    case 'handed_back':
      draft.job.wait = { ...wait, ...handedBack(draft, wait) }
      return 'failure_handled'
    default:
      return unreachable(outcome)
  }
}

export function branchOutcome(
  draft: Draft,
  wait: BranchesWait,
  { branch, event }: { readonly branch: OutBranch; readonly event: TaskResultEvent },
  rules: Rules,
): string {
  const { outcome, chance } = event
  const accepted = 'parallel_branch_accepted'
  switch (outcome.kind) {
    case 'completed': {
      const { status, data } = outcome
      endBranch(draft, wait, { branch, end: { status, data, error: null } }, rules)
      return accepted
    }
    case 'failed': {
      const verdict = judgeFailed(draft, branch.run, outcome.error, { chance, rules })
      if (verdict !== null) judgeBranch(draft, wait, { branch, verdict }, rules)
      else endSaidFailed(draft, wait, { branch, data: outcome.data }, rules)
      return accepted
    }
    case 'cancelled':
      if (wait.failFast) endJob(draft, { status: 'cancelled' })
      else {
        const end = { status: 'cancelled', data: null, error: null }
        endBranch(draft, wait, { branch, end }, rules)
      }
      return accepted
    case 'handed_back':
      draft.job.wait = replaced(wait, {
        ...branch,
        run: handedBack(draft, branch.run, branch.name),
      })
      return accepted
    default:
      return unreachable(outcome)
  }
}

/** `null` for a failure without an error: the worker says so on purpose, and no retry will help. */
function judgeFailed(
  draft: Draft,
  run: TaskRun,
  error: JobError | null,
  { chance, rules }: { readonly chance: number; readonly rules: Rules },
): Verdict | null {
  return error === null ? null : judge(draft, run, { error, chance }, rules)
}

function endSaidFailed(
  draft: Draft,
  wait: BranchesWait,
  { branch, data }: { readonly branch: OutBranch; readonly data: BranchData },
  rules: Rules,
): void {
  if (wait.failFast) {
    const ending = { status: 'failed', error: UNEXPLAINED } as const
    return judgeBranch(draft, wait, { branch, verdict: { kind: 'over', ending } }, rules)
  }
  const end = { status: 'failure', data, error: null }
  endBranch(draft, wait, { branch, end }, rules)
}

type BranchData = Extract<TaskResultEvent['outcome'], { kind: 'failed' }>['data']

/** Costs no retry; for a moment another worker goes first. */
function handedBack(draft: Draft, run: TaskRun, branch?: string): TaskRun {
  const avoid = run.phase.kind === 'claimed' ? run.phase.workerId : null
  return nextAttempt(draft, { ...run, avoid }, branch)
}
