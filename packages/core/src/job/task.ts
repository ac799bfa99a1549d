/** Tasks inside a job: what was asked for, and how far it is. */
import type { JsonObject } from '@avtomatika/protocol'
import type { RetryRules } from './retry.ts'
import type { EpochMs, JobError, Target, Transitions } from './vocabulary.ts'

/** What a worker must offer to be given a task. */
export interface TaskDemand {
  readonly type: string
  readonly skillVersion?: string
  readonly skillType?: string
  /** Requirements as the dispatch gave them; keys as on the wire. */
  readonly resources?: JsonObject
  /** The most that the task may cost at its worker. */
  readonly maxCost?: number
  /** Ids of workers' input schemas that the params do not match, in order. Told by the engine alone. */
  readonly misfits?: readonly string[]
}

/** A task as its blueprint asked for it; durations in milliseconds. */
export interface TaskSpec {
  readonly demand: TaskDemand
  readonly params: JsonObject
  /** Higher goes first. */
  readonly priority: number
  /** How the worker is chosen among several that could take the task. */
  readonly strategy: string
  /** From offer to claim; `null` waits for as long as it takes. */
  readonly dispatchTimeoutMs: number | null
  /** From claim to result. */
  readonly executionTimeoutMs: number
  /** From dispatch to result, over all attempts; `null` for no such limit. */
  readonly resultTimeoutMs: number | null
  /** `null`: as the engine's rules say. */
  readonly retry: RetryRules | null
}

export type TaskPhase =
  | { readonly kind: 'offered'; readonly dispatchDeadlineAt: EpochMs | null }
  | {
      readonly kind: 'claimed'
      readonly workerId: string
      readonly claimedAt: EpochMs
      readonly deadlineAt: EpochMs
    }
  | { readonly kind: 'backing_off'; readonly until: EpochMs }

/**
 * A task on its way, alone or as a branch. The attempt is part of its identity: a new attempt has a
 * new task id.
 */
export interface TaskRun {
  readonly taskId: string
  /** From 1. */
  readonly attempt: number
  /** Retries spent, losses of a worker included; handing back is free. */
  readonly retries: number
  readonly spec: TaskSpec
  readonly dispatchedAt: EpochMs
  readonly resultDeadlineAt: EpochMs | null
  readonly phase: TaskPhase
  /** The worker that failed the attempt before: for a moment every other one goes first. */
  readonly avoid: string | null
}

/** One task is out. */
export interface TaskWait extends TaskRun {
  readonly for: 'task'
  readonly transitions: Transitions
  /** Where a worker's event of this type leads, before there is a result. */
  readonly eventTransitions: Transitions
  /** `transition`: a failure for good goes to `transitions.failure` instead of ending the job. */
  readonly onFailure: 'end' | 'transition'
}

/** How a branch came out. */
export interface BranchResult {
  readonly name: string
  /** Place in the order given, from 0. */
  readonly index: number
  readonly taskId: string
  /** `success`, `failure`, `cancelled`, or a status of the worker's own. */
  readonly status: string
  readonly data: JsonObject | null
  readonly error: JobError | null
}

export type Branch =
  | {
      readonly kind: 'waiting'
      readonly name: string
      readonly index: number
      readonly spec: TaskSpec
    }
  | { readonly kind: 'out'; readonly name: string; readonly index: number; readonly run: TaskRun }
  | ({ readonly kind: 'done' } & BranchResult)

/** Neighbours, none without another; how many is known to the table alone. */
export type BranchLeaf = readonly Branch[]

/** Branches in order of their index; `branch-table.ts` makes, asks and changes it. */
export type BranchTable = readonly BranchLeaf[]

/** Several tasks are out; the job goes on when the last has come out. */
export interface BranchesWait {
  readonly for: 'branches'
  readonly aggregateInto: Target
  readonly branches: BranchTable
  /** How many may be out at once; `null` for all. */
  readonly concurrency: number | null
  readonly failFast: boolean
}

/** A task and the branch it belongs to, if any. */
export interface TaskInWait {
  readonly run: TaskRun
  readonly branch: Extract<Branch, { kind: 'out' }> | null
}
