/**
 * The jobs that this process changed last, as it wrote them: a read saved where the next word about a job
 * comes to the same process, which is most of the time. They may be out of date; the write finds out.
 */
import type { Job } from '../../job/job.ts'

const MAX_JOBS = 2_000
/** Data of the jobs in all, in bytes of JSON. */
const MAX_BYTES = 32 * 1024 * 1024

export class RecentJobs {
  /** The one that was kept longest ago stands first. */
  readonly #jobs = new Map<string, Job>()
  #bytes = 0

  find(jobId: string): Job | undefined {
    return this.#jobs.get(jobId)
  }

  /** Keeps a live job; one that has ended is not asked for any more. */
  keep(job: Job): void {
    this.forget(job.id)
    if (job.wait === null) return
    this.#jobs.set(job.id, job)
    this.#bytes += job.dataBytes
    for (const oldest of this.#jobs.keys()) {
      if (this.#jobs.size <= MAX_JOBS && this.#bytes <= MAX_BYTES) return
      this.forget(oldest)
    }
  }

  forget(jobId: string): void {
    const job = this.#jobs.get(jobId)
    if (job === undefined) return
    this.#jobs.delete(jobId)
    this.#bytes -= job.dataBytes
  }
}
