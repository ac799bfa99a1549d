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
 * S12 A reserved task is given to its worker only, until the moment given or until that worker
 *    leaves; from then on to all, in its old place (W6, W7).
 */
import type { Effect, HistoryRecord } from '../job/effect.ts'
import type { DeadlineKey } from '../job/event.ts'
import type { JobMessage } from '../job/message.ts'
import type { Job } from '../job/job.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import type { Hint, Withdrawal } from './hint.ts'
import type { Lease } from './lease.ts'
import type { LimitStore, LockStore } from './limit-store.ts'
import type { ReputationStore } from './reputation-store.ts'
import type { HandOver, Reservation, TaskStore } from './task-store.ts'
import type { TokenStore } from './token-store.ts'
import type { WorkerRecord, WorkerUpdate } from './worker-record.ts'

/** One change of one job. */
export interface CommitEntry {
  readonly job: Job
  /** The version that must be stored now; 0 means that the job must not exist yet. */
  readonly expectedVersion: number
  readonly effects: readonly Effect[]
  /** Who is to have tasks that the effects offer first. */
  readonly reservations?: readonly Reservation[]
  /** Tasks that the effects offer, and somebody is waiting for. */
  readonly handOvers?: readonly HandOver[]
  /** Whoever commits runs the steps of the effects himself: they are written as leased. */
  readonly stepLease?: Lease & { readonly holder: string }
  /** Tasks that their workers are to stop working on; told, and not stored. */
  readonly withdrawn?: readonly Withdrawal[]
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
  /** A worker that should be handed a task has no room for it; nothing was written. */
  | { readonly kind: 'no_room' }
  /** The idempotency key was used before; nothing was written. */
  | { readonly kind: 'duplicate'; readonly jobId: string; readonly fingerprint: string }

export interface JobStore {
  /** Applies entries in order, each as a whole or not at all (S1, S2); one outcome per entry. */
  commit(entries: readonly CommitEntry[]): Promise<readonly CommitOutcome[]>
  findJob(jobId: string): Promise<Job | undefined>
  /** What a live idempotency key created: the answer of `duplicate`, without an entry. */
  findCreated(query: {
    readonly key: string
    readonly now: EpochMs
  }): Promise<{ readonly jobId: string; readonly fingerprint: string } | undefined>
  /** Quarantined jobs of one owner, or of all, newest first. */
  listQuarantined(query: {
    readonly ownerId?: string
    readonly limit: number
  }): Promise<readonly Job[]>
  /**
   * Jobs of one owner, or of all, that have tasks on offer, in any order. A look at what waits, not at
   * everything: of very many, some may be missing.
   */
  listJobsOnOffer(query: {
    readonly ownerId?: string
    readonly limit: number
  }): Promise<readonly Job[]>
  /**
   * Forgets jobs that ended before a moment, oldest first, and answers how many. Quarantined ones
   * stay: they wait for somebody to work on them.
   */
  removeEndedJobs(query: { readonly endedBefore: EpochMs; readonly limit: number }): Promise<number>
}

export interface ClaimedStep {
  readonly stepId: string
  readonly jobId: string
  readonly leaseExpiresAt: EpochMs
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
  /** Steps that wait to be run, and steps in somebody's hands. */
  countSteps(): Promise<{ readonly ready: number; readonly leased: number }>
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
  /** Forgets a worker; what it held is the tasks' affair. */
  removeWorker(workerId: string): Promise<void>
  /**
   * What has changed in the registry since an earlier look, at the price of the changes. Workers that
   * have expired are not among them; whoever keeps records looks at their end.
   * @param query.since - the cursor of that look; left out, all live workers are told.
   */
  changedWorkers(query: {
    readonly since?: string | undefined
    readonly now: EpochMs
  }): Promise<WorkerChanges>
}

export interface WorkerChanges {
  readonly workers: readonly WorkerRecord[]
  /** Ids of workers that were removed. */
  readonly removed: readonly string[]
  readonly cursor: string
}

export interface OutboxStore {
  /** Takes records, oldest first, under a lease (S3). */
  claimRecords(claim: Lease & { readonly limit: number }): Promise<readonly HistoryRecord[]>
  /** Forgets records that have been delivered. */
  ackRecords(eventIds: readonly string[]): Promise<void>
  countRecords(): Promise<number>
  /** When what the oldest record tells of happened; `undefined` if there is none. */
  oldestRecordAt(): Promise<EpochMs | undefined>
  /**
   * Forgets the oldest records, also those that somebody carries, who has them in hand; answers how
   * many there were.
   */
  dropOldestRecords(limit: number): Promise<number>
}

export interface MessageStore {
  /** Takes messages, oldest first, under a lease (S3); none is ever dropped. */
  claimMessages(claim: Lease & { readonly limit: number }): Promise<readonly JobMessage[]>
  /** Forgets messages that have been delivered. */
  ackMessages(messageIds: readonly string[]): Promise<void>
}

/** Everything a live job may wait for, as a store knows it. */
export interface WakeReasons {
  readonly steps: readonly string[]
  readonly tasks: readonly string[]
  /** Those of the tasks that no worker should have: one that a worker has counts as missing. */
  readonly offered: readonly string[]
  readonly deadlines: readonly { readonly jobId: string; readonly key: DeadlineKey }[]
}

/** For whoever makes sure that no job is forgotten. */
export interface AuditStore {
  /**
   * Takes live jobs that nothing has changed for `quietMs`, longest first; each comes again after
   * `leaseMs`, unless it changes or ends.
   */
  claimQuietJobs(
    claim: Lease & { readonly quietMs: number; readonly limit: number },
  ): Promise<readonly Job[]>
  /**
   * Those of the reasons that the store does not hold: neither ready nor leased.
   * @param givenBefore - a claim that is younger may be on its way to its job.
   */
  findMissing(reasons: WakeReasons, givenBefore: EpochMs): Promise<WakeReasons>
}

export interface Storage
  extends
    JobStore,
    StepStore,
    TaskStore,
    DeadlineStore,
    WorkerStore,
    ReputationStore,
    OutboxStore,
    MessageStore,
    AuditStore,
    LockStore,
    LimitStore,
    TokenStore {
  /** Calls back after commits, never within one. Returns the way to stop. */
  onHint(listener: (hint: Hint) => void): () => void
  /**
   * Tells hints that no commit brings to every listener of every process, this one included. All that
   * hear them hear them in one order, whoever told them.
   */
  tell(hints: readonly Hint[]): Promise<void>
  /** @throws UnavailableError `STORAGE_UNAVAILABLE` when the store cannot be reached. */
  ping(): Promise<void>
  close(): Promise<void>
}
