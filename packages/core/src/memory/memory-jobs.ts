/**
 * Job documents, idempotency keys and the index of quarantined jobs.
 *
 * Live and quarantined jobs are kept for good. Of those that finished, failed or were cancelled,
 * the newest are kept and the rest forgotten, so that an embedded process does not grow for ever.
 * A job may leave quarantine: one that is given up there has ended then, one that is let go on is
 * live again, and counts when it ends.
 */
import { isTerminalJobStatus } from '@avtomatika/protocol'
import type { Job } from '../job/job.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import type { AuditStore, CommitEntry, CommitOutcome, JobStore } from '../ports/storage.ts'
import { Fifo } from './fifo.ts'
import { Heap } from './heap.ts'
import { QuietJobs } from './quiet-jobs.ts'

interface IdempotencyKey {
  readonly key: string
  readonly jobId: string
  readonly fingerprint: string
  readonly expiresAt: EpochMs
}

export class MemoryJobs {
  readonly #jobs = new Map<string, Job>()
  readonly #ended = new Fifo<string>()
  readonly #keys = new Map<string, IdempotencyKey>()
  readonly #keysByExpiry = new Heap<IdempotencyKey>((a, b) => a.expiresAt < b.expiresAt)
  /** Quarantined jobs, oldest first; of all owners under `null`. */
  readonly #quarantined = new Map<string | null, Job[]>()
  readonly #quiet = new QuietJobs()
  readonly #retainTerminalJobs: number

  constructor(retainTerminalJobs: number) {
    this.#retainTerminalJobs = retainTerminalJobs
  }

  /** Why an entry must not be written, or `committed` if it may be. Writes nothing. */
  check(entry: CommitEntry): CommitOutcome {
    const known = this.#liveKey(entry)
    if (known !== undefined) {
      return { kind: 'duplicate', jobId: known.jobId, fingerprint: known.fingerprint }
    }
    const version = this.#jobs.get(entry.job.id)?.version ?? 0
    return { kind: version === entry.expectedVersion ? 'committed' : 'conflict' }
  }

  /** Writes the document of an entry that passed {@link check}. */
  put({ job, idempotency }: CommitEntry): void {
    const before = this.#jobs.get(job.id)
    this.#jobs.set(job.id, job)
    this.#quiet.put(job)
    if (before?.status === 'quarantined') this.#leaveQuarantine(before)
    if (job.status === 'quarantined') this.#enterQuarantine(job)
    else if (isTerminalJobStatus(job.status) && !wasEnded(before)) this.#retain(job.id)
    if (idempotency !== undefined) this.#remember({ ...idempotency, jobId: job.id })
  }

  find(jobId: string): Job | undefined {
    return this.#jobs.get(jobId)
  }

  findCreated(query: {
    readonly key: string
    readonly now: EpochMs
  }): { readonly jobId: string; readonly fingerprint: string } | undefined {
    this.#forgetKeys(query.now)
    const known = this.#keys.get(query.key)
    return known && { jobId: known.jobId, fingerprint: known.fingerprint }
  }

  listQuarantined(query: { readonly ownerId?: string; readonly limit: number }): readonly Job[] {
    const jobs = this.#quarantined.get(query.ownerId ?? null) ?? []
    return jobs.slice(Math.max(0, jobs.length - query.limit)).reverse()
  }

  removeEndedJobs({ endedBefore, limit }: Parameters<JobStore['removeEndedJobs']>[0]): number {
    for (let removed = 0; removed < limit; removed += 1) {
      const oldest = this.#ended.first()
      if (oldest === undefined || endOf(this.#jobs.get(oldest)) >= endedBefore) return removed
      this.#ended.shift()
      this.#jobs.delete(oldest)
    }
    return limit
  }

  claimQuietJobs(claim: Parameters<AuditStore['claimQuietJobs']>[0]): readonly Job[] {
    return this.#quiet.claim(claim)
  }

  #liveKey({ idempotency }: CommitEntry): IdempotencyKey | undefined {
    if (idempotency === undefined) return undefined
    this.#forgetKeys(idempotency.now)
    return this.#keys.get(idempotency.key)
  }

  #forgetKeys(now: EpochMs): void {
    for (;;) {
      const first = this.#keysByExpiry.first()
      if (first === undefined || first.expiresAt > now) return
      this.#keysByExpiry.shift()
      this.#keys.delete(first.key)
    }
  }

  #remember({ key, jobId, fingerprint, expiresAt }: IdempotencyKey): void {
    const known = { key, jobId, fingerprint, expiresAt }
    this.#keys.set(key, known)
    this.#keysByExpiry.add(known)
  }

  #retain(jobId: string): void {
    this.#ended.push(jobId)
    while (this.#ended.size > this.#retainTerminalJobs) {
      const oldest = this.#ended.shift()
      if (oldest !== undefined) this.#jobs.delete(oldest)
    }
  }

  #enterQuarantine(job: Job): void {
    for (const owner of [null, job.owner.clientId]) {
      const jobs = this.#quarantined.get(owner) ?? []
      // Jobs arrive nearly in the order of their ends, so the place is at or near the end.
      let place = jobs.length
      while (place > 0 && endOf(jobs[place - 1]) > endOf(job)) place -= 1
      jobs.splice(place, 0, job)
      this.#quarantined.set(owner, jobs)
    }
  }

  #leaveQuarantine(job: Job): void {
    for (const owner of [null, job.owner.clientId]) {
      const jobs = this.#quarantined.get(owner) ?? []
      const place = jobs.lastIndexOf(job)
      if (place >= 0) jobs.splice(place, 1)
    }
  }
}

function wasEnded(before: Job | undefined): boolean {
  return (
    before !== undefined && before.status !== 'quarantined' && isTerminalJobStatus(before.status)
  )
}

function endOf(job: Job | undefined): EpochMs {
  return job?.finishedAt ?? 0
}
