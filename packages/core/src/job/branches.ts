/** Several tasks at once, each with a life of its own, and one end for all (D-1, D-4, D-34). */
import type { JsonObject } from '@avtomatika/protocol'
import {
  branchAt,
  branchesIn,
  changeBranches,
  tableOf,
  tallyOf,
  withBranch,
} from './branch-table.ts'
import { admit, admitTasks } from './data.ts'
import type { Draft } from './draft.ts'
import type { Action } from './event.ts'
import type { Rules } from './rules.ts'
import { startRun, type Verdict } from './task-run.ts'
import type { Branch, BranchesWait, BranchResult, BranchTable, TaskRun } from './task.ts'
import { placeAfter } from './task-id.ts'
import { endJob, enterState, type Ending } from './transition.ts'
import type { JobError } from './vocabulary.ts'
import type { Received } from './wait.ts'

export type OutBranch = Extract<Branch, { kind: 'out' }>
type DoneBranch = Extract<Branch, { kind: 'done' }>

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
  const waiting = tasks.map(({ name, spec }, index): Branch => {
    return { kind: 'waiting', name, index, spec }
  })
  draft.job.status = 'waiting_for_parallel_tasks'
  draft.job.retryCount = 0
  draft.job.error = null
  const branches = tableOf(waiting)
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
  return { ...wait, branches: withBranch(wait.branches, branch) }
}

/** Changes every branch that is out. */
export function eachRun(wait: BranchesWait, change: (run: TaskRun) => TaskRun): BranchesWait {
  const branches = changeBranches(
    wait.branches,
    ({ out }) => out > 0,
    (branch) => {
      if (branch.kind !== 'out') return branch
      const run = change(branch.run)
      return run === branch.run ? branch : { ...branch, run }
    },
  )
  return { ...wait, branches }
}

/** The branch that a task is, or was an attempt at. */
export function branchOf(wait: BranchesWait, taskId: string): OutBranch | DoneBranch | undefined {
  const first = dispatched(branchAt(wait.branches, 0))
  if (first === undefined) return undefined
  const place = placeAfter(idOf(first), taskId)
  return dispatched(branchAt(wait.branches, place))
}

/** The result of a branch that was aggregated last, by the id of its task. */
export function resultFor(received: Received | null, taskId: string): BranchResult | undefined {
  if (received?.kind !== 'branches') return undefined
  const [first] = received.branches
  return first && received.branches[placeAfter(first.taskId, taskId)]
}

/** Share of the work that is done, from 0 to 1. */
export function progressOf({ branches }: BranchesWait): number {
  const { done, total } = tallyOf(branches)
  return total === 0 ? 1 : done / total
}

/** Starts as many branches as may be out; when all are done, the aggregator is next. */
function goOn(draft: Draft, wait: BranchesWait, rules: Rules): void {
  const { aggregateInto, concurrency } = wait
  const { total, done, out } = tallyOf(wait.branches)
  if (done === total) {
    const results = branchesIn(wait.branches).flatMap((branch) => resultOf(branch) ?? [])
    const received = { kind: 'branches', branches: results } as const
    return enterState(draft, { target: aggregateInto, received }, rules)
  }
  const free = (concurrency ?? total) - out
  draft.job.wait = { ...wait, branches: started(draft, wait.branches, free) }
  draft.job.progress = progressOf(wait)
}

/** Sends out the first of those that wait, as many as there is room for. */
function started(draft: Draft, table: BranchTable, room: number): BranchTable {
  let free = Math.min(room, tallyOf(table).waiting)
  if (free <= 0) return table
  return changeBranches(
    table,
    ({ waiting }) => waiting > 0 && free > 0,
    (branch) => {
      if (branch.kind !== 'waiting' || free <= 0) return branch
      free -= 1
      const { name, index, spec } = branch
      return { kind: 'out', name, index, run: startRun(draft, spec, name) }
    },
  )
}

function resultOf(branch: Branch): BranchResult | undefined {
  if (branch.kind !== 'done') return undefined
  const { kind: _kind, ...result } = branch
  return result
}

function dispatched(branch: Branch | undefined): OutBranch | DoneBranch | undefined {
  return branch?.kind === 'waiting' ? undefined : branch
}

function idOf(branch: OutBranch | DoneBranch): string {
  return branch.kind === 'out' ? branch.run.taskId : branch.taskId
}

function inBranch({ name }: OutBranch, { error }: Ending & { error: JobError }): JobError {
  return { ...error, message: `Branch '${name}': ${error.message}` }
}
