/**
 * What the engine asks of a store, and what a store promises. Every back end runs the same
 * conformance suite (`@avtomatika/core/testing`), whose cases cite these numbers.
 *
 * S1 `commit` makes each entry true as a whole or not at all; a reader never sees half of one.
 * S2 An entry whose expected version is stale writes nothing and says so.
 * S3 A committed step, task, message or record is handed out at least once.
 * S4 At any moment a step or task has at most one live lease.
 * S5 When a lease runs out, a step is handed out again by the next claim, and a task turns up in
 *    the next `claimLostTasks`.
 * S6 `renew…` and `release…` work for the present holder only.
 * S7 Tasks: higher priority first; equal priority in the order of their offers. A task that avoids a
 *    worker is passed over for that worker until the moment given, and keeps its place for others.
 * S8 `now` is the argument given; the store's own clock decides nothing.
 * S9 After `close` every call fails with `STORAGE_CLOSED`; nothing hangs.
 * S10 Due deadlines and lost tasks are handed out under a lease too, and again when it runs out,
 *    until a commit clears, moves or withdraws them: what crashes halfway is not forgotten (D-25).
 * S11 Documents handed in are not changed and may be kept; those handed out must not be changed.
 */
import { createHash } from 'node:crypto'
import { isJsonObject, type JsonValue } from '@avtomatika/protocol'
import type { HistoryRecord, OfferedTask, Effect } from '../job/effect.ts'
import type { DeadlineKey } from '../job/event.ts'
import type { JobMessage } from '../job/message.ts'
import type { Job } from '../job/job.ts'
import type { TaskDemand } from '../job/task.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import type { WorkerRecord, WorkerUpdate } from './worker-record.ts'

/** One change of one job. */
export interface CommitEntry {
  readonly job: Job
  /** The version that must be stored now; 0 means that the job must not exist yet. */
  readonly expectedVersion: number
  readonly effects: readonly Effect[]
  /** Makes a creation happen once: a live key of the same name turns it into `duplicate`. */
  readonly idempotency?: {
    readonly key: string
    /** Hash of the request: the same key with another request is the caller's mistake. */
    readonly fingerprint: string
    readonly now: EpochMs
    readonly expiresAt: EpochMs
  }
}

export type CommitOutcome =
  | { readonly kind: 'committed' }
  /** Stale: read the job and decide again. */
  | { readonly kind: 'conflict' }
  /** The idempotency key was used before; nothing was written. */
  | { readonly kind: 'duplicate'; readonly jobId: string; readonly fingerprint: string }

export interface JobStore {
  /** Applies entries in order, each as a whole or not at all (S1, S2); one outcome per entry. */
  commit(entries: readonly CommitEntry[]): Promise<readonly CommitOutcome[]>
  findJob(jobId: string): Promise<Job | undefined>
  /** Quarantined jobs of one owner, or of all, newest first. */
  listQuarantined(query: {
    readonly ownerId?: string
    readonly limit: number
  }): Promise<readonly Job[]>
}

export interface ClaimedStep {
  readonly stepId: string
  readonly jobId: string
  readonly leaseExpiresAt: EpochMs
}

interface Lease {
  readonly now: EpochMs
  readonly leaseMs: number
}

export interface StepStore {
  /** Takes ready steps, oldest first, for `holder`. Never waits. */
  claimSteps(
    claim: Lease & { readonly holder: string; readonly limit: number },
  ): Promise<readonly ClaimedStep[]>
  /** Extends a lease; `false` if `holder` no longer has it (S6). */
  renewStep(lease: Lease & { readonly stepId: string; readonly holder: string }): Promise<boolean>
  /** Gives a step back unrun; `false` if `holder` no longer has it (S6). */
  releaseStep(step: { readonly stepId: string; readonly holder: string }): Promise<boolean>
  /** Drops a step that no job waits for any more. */
  dropStep(stepId: string): Promise<void>
}

/** One literal demand that tasks on offer have in common. */
export interface TaskClass {
  readonly classId: string
  readonly demand: TaskDemand
}

export interface ClaimedTask {
  readonly task: OfferedTask
  readonly leaseExpiresAt: EpochMs
}

export interface TaskClaim extends Lease {
  readonly workerId: string
  /** Only tasks of these classes are taken. */
  readonly classIds: readonly string[]
  readonly limit: number
  /** The worker never holds more leases than this. */
  readonly capacity: number
}

export interface TaskRenewal extends Lease {
  readonly workerId: string
  /** Tasks the worker says it has; `all` when it does not list any (older workers). */
  readonly taskIds: readonly string[] | 'all'
  /**
   * With a list: leases of this worker that it does not list, and that it was given before this
   * moment, are due at once (its answer to the claim was lost). `null` keeps them.
   */
  readonly missingSince: EpochMs | null
}

export interface TaskStore {
  /** Every class that has, or had, tasks on offer. */
  listTaskClasses(): Promise<readonly TaskClass[]>
  claimTasks(claim: TaskClaim): Promise<readonly ClaimedTask[]>
  /** Extends leases; returns the listed ids that this worker does not hold (it may drop them). */
  renewTasks(renewal: TaskRenewal): Promise<readonly string[]>
  /** Takes tasks whose lease has run out (S5), for somebody to tell their jobs (S10). */
  claimLostTasks(
    claim: Lease & { readonly limit: number },
  ): Promise<readonly { readonly taskId: string; readonly jobId: string }[]>
  /** Makes all leases of a worker due now (W7). */
  loseTasksOf(worker: { readonly workerId: string; readonly now: EpochMs }): Promise<void>
  /** Drops a task that no job waits for any more. */
  dropTask(taskId: string): Promise<void>
  /** Tasks on offer and not claimed. */
  countOfferedTasks(): Promise<number>
}

export interface DueDeadline {
  readonly jobId: string
  readonly key: DeadlineKey
  readonly at: EpochMs
}

export interface DeadlineStore {
  /** Takes deadlines that are due, earliest first (S10). */
  claimDueDeadlines(claim: Lease & { readonly limit: number }): Promise<readonly DueDeadline[]>
  /** Drops a claimed deadline that its job had no use for, unless it was moved meanwhile. */
  dropDeadline(deadline: DueDeadline): Promise<void>
  /** When the next deadline or lease becomes due, if any. */
  nextDueAt(): Promise<EpochMs | undefined>
}

export interface WorkerStore {
  /** Registers a worker, or replaces what it said before; its leases stay. */
  putWorker(worker: WorkerRecord): Promise<void>
  /** Merges an update into a live worker; `undefined` if it is unknown or expired at `now`. */
  updateWorker(update: WorkerUpdate): Promise<WorkerRecord | undefined>
  findWorker(query: {
    readonly workerId: string
    readonly now: EpochMs
  }): Promise<WorkerRecord | undefined>
  listWorkers(query: { readonly now: EpochMs }): Promise<readonly WorkerRecord[]>
  removeWorker(workerId: string): Promise<void>
}

export interface OutboxStore {
  /** Takes records, oldest first, under a lease (S3). */
  claimRecords(claim: Lease & { readonly limit: number }): Promise<readonly HistoryRecord[]>
  /** Forgets records that have been delivered. */
  ackRecords(eventIds: readonly string[]): Promise<void>
}

export interface MessageStore {
  /** Takes messages, oldest first, under a lease (S3); none is ever dropped. */
  claimMessages(claim: Lease & { readonly limit: number }): Promise<readonly JobMessage[]>
  /** Forgets messages that have been delivered. */
  ackMessages(messageIds: readonly string[]): Promise<void>
}

/** A hint without promise: something may be there to do. Losing one costs at most a slow tick. */
export type Hint =
  | { readonly kind: 'step' }
  /** With `openToAllAt`: one worker, whom the task avoids, is passed over until then. */
  | { readonly kind: 'task'; readonly classId: string; readonly openToAllAt?: EpochMs }
  | { readonly kind: 'deadline'; readonly at: EpochMs }
  | { readonly kind: 'record' }
  | { readonly kind: 'message' }
  | { readonly kind: 'job_ended'; readonly jobId: string }

export interface Storage
  extends JobStore, StepStore, TaskStore, DeadlineStore, WorkerStore, OutboxStore, MessageStore {
  /** Calls back after commits, never within one. Returns the way to stop. */
  onHint(listener: (hint: Hint) => void): () => void
  /** @throws UnavailableError `STORAGE_UNAVAILABLE` when the store cannot be reached. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** The class of a demand: equal demands, equal ids; others, others. */
export function classIdOf(demand: TaskDemand): string {
  const { type, skillVersion, skillType, resources, maxCost } = demand
  const isSimple = skillType === undefined && resources === undefined && maxCost === undefined
  // The marks below must not come from a name: `a@1` is a type that a worker may offer.
  if (isSimple && !/[@#]/.test(`${type}${skillVersion ?? ''}`)) {
    return skillVersion === undefined ? type : `${type}@${skillVersion}`
  }
  const rest = [type, skillVersion ?? null, skillType ?? null, resources ?? null, maxCost ?? null]
  const hash = createHash('sha256').update(canonical(rest)).digest('hex')
  return `${type}#${hash.slice(0, 16)}`
}

/** JSON that does not depend on the order of keys. */
function canonical(value: JsonValue): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isJsonObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
