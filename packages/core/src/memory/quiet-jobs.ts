/** Live jobs by their last change, for whoever makes sure that none is forgotten. */
import type { Job } from '../job/job.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import type { AuditStore } from '../ports/storage.ts'
import { Heap } from './heap.ts'

interface LiveJob {
  readonly job: Job
  readonly quietSince: EpochMs
}

export class QuietJobs {
  readonly #live = new Map<string, LiveJob>()
  readonly #byAge = new Heap<LiveJob>((a, b) => a.quietSince < b.quietSince)

  /** Takes note of a job's present document. */
  put(job: Job): void {
    if (job.wait === null) this.#remove(job.id)
    else this.#set(job, job.updatedAt)
  }

  claim({
    now,
    leaseMs,
    quietMs,
    limit,
  }: Parameters<AuditStore['claimQuietJobs']>[0]): readonly Job[] {
    const claimed: Job[] = []
    while (claimed.length < limit) {
      const first = this.#byAge.first()
      if (first === undefined || first.quietSince > now - quietMs) break
      claimed.push(first.job)
      // As if it had changed so late that it comes again when the lease has run out.
      this.#set(first.job, now + leaseMs - quietMs)
    }
    return claimed
  }

  #set(job: Job, quietSince: EpochMs): void {
    this.#remove(job.id)
    const entry = { job, quietSince }
    this.#live.set(job.id, entry)
    this.#byAge.add(entry)
  }

  #remove(jobId: string): void {
    const entry = this.#live.get(jobId)
    if (entry === undefined) return
    this.#live.delete(jobId)
    this.#byAge.remove(entry)
  }
}
