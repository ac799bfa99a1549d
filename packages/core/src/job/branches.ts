/** Several tasks at once, each with a life of its own, and one end for all (D-1, D-4, D-34). */
import type { JsonObject } from '@avtomatika/protocol'
import { admit, admitTasks } from './data.ts'
import type { Draft } from './draft.ts'
import type { Action } from './event.ts'
import type { Rules } from './rules.ts'
import { startRun, type Verdict } from './task-run.ts'
import type { Branch, BranchesWait, BranchResult, TaskRun } from './task.ts'
import { endJob, enterState, type Ending } from './transition.ts'
import type { JobError } from './vocabulary.ts'

export type OutBranch = Extract<Branch, { kind: 'out' }>

/** Sends the first branches out; with none, the aggregator is next. */
export function fanOut(
  draft: Draft,
  action: Extract<Action, { type: 'dispatch_parallel' }>,
  rules: Rules,
): void {
  const { tasks, aggregateInto, concurrency, failFast } = action
  const specs = tasks.map(({ spec }) => spec)
  const tooLarge = admitTasks(draft, specs, rules)
  if (tooLarge !== null) return endJob(draft, { status: 'failed', error: tooLarge })
  const branches = tasks.map(({ name, spec }, index): Branch => ({
    kind: 'waiting',
    name,
    index,
    spec,
  }))
  draft.job.status = 'waiting_for_parallel_tasks'
  draft.job.retryCount = 0
  draft.job.error = null
  goOn(draft, { for: 'branches', aggregateInto, concurrency, failFast, branches }, rules)
}

/** How one branch came out. */
export interface BranchEnd {
  readonly status: string
  readonly data: JsonObject | null
  readonly error: JobError | null
}

/** Notes how a branch came out; the next one starts, or the aggregator. */
export function endBranch(
  draft: Draft,
  wait: BranchesWait,
  { branch, end }: { readonly branch: OutBranch; readonly end: BranchEnd },
  rules: Rules,
): void {
  const { name, index, run } = branch
  const tooLarge = end.data === null ? null : admit(draft, end.data, rules)
  if (tooLarge !== null) return endJob(draft, { status: 'quarantined', error: tooLarge })
  goOn(draft, replaced(wait, { kind: 'done', name, index, taskId: run.taskId, ...end }), rules)
}

/** A branch is tried again, or has failed for good: then it is a failed branch, or the job's end. */
export function judgeBranch(
  draft: Draft,
  wait: BranchesWait,
  { branch, verdict }: { readonly branch: OutBranch; readonly verdict: Verdict },
  rules: Rules,
): void {
  if (verdict.kind === 'again') {
    draft.job.wait = replaced(wait, { ...branch, run: verdict.run })
    return
  }
  const { ending, isFinal = false } = verdict
  if (wait.failFast || isFinal) return endJob(draft, { ...ending, error: inBranch(branch, ending) })
  const end = { status: 'failure', data: null, error: ending.error }
  endBranch(draft, wait, { branch, end }, rules)
}

/** Replaces one branch; the others stay as they are. */
export function replaced(wait: BranchesWait, branch: Branch): BranchesWait {
  return { ...wait, branches: wait.branches.with(branch.index, branch) }
}

/** Changes every branch that is out. */
export function eachRun(wait: BranchesWait, change: (run: TaskRun) => TaskRun): BranchesWait {
  const branches = wait.branches.map((branch) =>
    branch.kind === 'out' ? { ...branch, run: change(branch.run) } : branch,
  )
  return { ...wait, branches }
}

/** Share of the work that is done, from 0 to 1. */
export function progressOf({ branches }: BranchesWait): number {
  const done = branches.filter(({ kind }) => kind === 'done').length
  return branches.length === 0 ? 1 : done / branches.length
}

/** Starts as many branches as may be out; when all are done, the aggregator is next. */
function goOn(draft: Draft, wait: BranchesWait, rules: Rules): void {
  const { branches, concurrency, aggregateInto } = wait
  let free = (concurrency ?? branches.length) - branches.filter(({ kind }) => kind === 'out').length
  const started = branches.map((branch): Branch => {
    if (branch.kind !== 'waiting' || free <= 0) return branch
    free -= 1
    const { name, index, spec } = branch
    const run: TaskRun = startRun(draft, spec, name)
    return { kind: 'out', name, index, run }
  })
  const results = started.flatMap((branch) => (branch.kind === 'done' ? [resultOf(branch)] : []))
  if (results.length === started.length) {
    enterState(
      draft,
      { target: aggregateInto, received: { kind: 'branches', branches: results } },
      rules,
    )
    return
  }
  draft.job.wait = { ...wait, branches: started }
  draft.job.progress = progressOf(wait)
}

function resultOf(branch: Extract<Branch, { kind: 'done' }>): BranchResult {
  const { kind: _kind, ...result } = branch
  return result
}

function inBranch({ name }: OutBranch, { error }: Ending & { error: JobError }): JobError {
  return { ...error, message: `Branch '${name}': ${error.message}` }
}
