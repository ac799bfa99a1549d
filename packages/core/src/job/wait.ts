/** What a live job can wait for, and what became of what it waited for. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import { branchesApart, branchesWhere, tallyOf } from './branch-table.ts'
import type { Branch, BranchesWait, BranchResult, TaskInWait, TaskWait } from './task.ts'
import { taskDeadline } from './task-deadline.ts'
import { unreachable } from './unreachable.ts'
import type { EpochMs, JobError, Target, Transitions } from './vocabulary.ts'

/** A handler run that is ready, or in progress. */
export interface StepWait {
  readonly for: 'step'
  readonly stepId: string
}

/** A pause before the handler of the present state runs again. */
export interface RetryWait {
  readonly for: 'retry'
  readonly until: EpochMs
}

/** A pause before the next state, as its blueprint asked. */
export interface SleepWait {
  readonly for: 'sleep'
  readonly until: EpochMs
  readonly next: Target
}

/** A person must decide. */
export interface ApprovalWait {
  readonly for: 'approval'
  /** One per request for approval: a link signed for one cannot decide another. */
  readonly approvalId: string
  readonly integration: string
  readonly message: string
  /** The decisions there are, and where they lead. */
  readonly transitions: Transitions
  readonly deadlineAt: EpochMs | null
  /** `null`: the job fails when nobody decides in time. */
  readonly onTimeout: Target | null
}

/** A job of another blueprint must end. */
export interface ChildWait {
  readonly for: 'child'
  readonly childId: string
  readonly blueprint: string
  readonly transitions: Transitions
}

/** An event from outside must come. */
export interface EventWait {
  readonly for: 'event'
  readonly name: string
  /** What the event's data must contain; `null` takes any. */
  readonly match: JsonObject | null
  readonly deadlineAt: EpochMs | null
  readonly received: Target
  /** `null`: the job fails when no event comes in time. */
  readonly timeout: Target | null
}

/** The one thing a live job waits for. */
export type Wait =
  StepWait | RetryWait | SleepWait | TaskWait | BranchesWait | ApprovalWait | ChildWait | EventWait

/** A person's decision. */
export interface Approval {
  readonly decision: string
  readonly actor: string | null
  readonly comment: string | null
  readonly data: JsonObject | null
  readonly decidedAt: EpochMs
}

/** How a child job ended. */
export interface ChildReport {
  readonly jobId: string
  readonly outcome: 'success' | 'failure'
  /** The child's status: `finished`, `failed`, `quarantined` or `cancelled`. */
  readonly status: string
  readonly finalState: string
  readonly result: JsonValue
  readonly error: JobError | null
}

/** An event that a client, a handler or another job sent to a job. */
export interface ReceivedEvent {
  readonly id: string
  readonly name: string
  readonly data: JsonObject
  readonly receivedAt: EpochMs
}

/** What the wait before the present state brought; its handler is given it. */
export type Received =
  | { readonly kind: 'approval'; readonly approval: Approval }
  | { readonly kind: 'child'; readonly child: ChildReport }
  | { readonly kind: 'event'; readonly event: ReceivedEvent }
  | { readonly kind: 'branches'; readonly branches: readonly BranchResult[] }

/** Every task that is on its way because of a wait. */
export function tasksOf(wait: Wait | null): readonly TaskInWait[] {
  if (wait?.for === 'task') return [{ run: wait, branch: null }]
  if (wait?.for !== 'branches') return []
  return tasksAmong(branchesWhere(wait.branches, ({ out }) => out > 0))
}

/** The tasks of two waits, but for those of branches that both have in common. */
export function tasksApart(
  before: Wait | null,
  after: Wait | null,
): { readonly before: readonly TaskInWait[]; readonly after: readonly TaskInWait[] } {
  if (before?.for !== 'branches' || after?.for !== 'branches') {
    return { before: tasksOf(before), after: tasksOf(after) }
  }
  return {
    before: tasksAmong(branchesApart(before.branches, after.branches)),
    after: tasksAmong(branchesApart(after.branches, before.branches)),
  }
}

function tasksAmong(branches: readonly Branch[]): readonly TaskInWait[] {
  return branches.flatMap((branch) => (branch.kind === 'out' ? [{ run: branch.run, branch }] : []))
}

/** When a wait runs out; `null` if it does not. */
export function deadlineOf(wait: Wait | null): EpochMs | null {
  if (wait === null) return null
  switch (wait.for) {
    case 'step':
    case 'child':
      return null
    case 'retry':
    case 'sleep':
      return wait.until
    case 'approval':
    case 'event':
      return wait.deadlineAt
    case 'task':
      return taskDeadline(wait)
    case 'branches':
      return tallyOf(wait.branches).dueAt
    default:
      return unreachable(wait)
  }
}
