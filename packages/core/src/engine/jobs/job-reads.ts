/**
 * Reads jobs, and waits for news of them. Where this orchestrator changes a job, whoever waits for it begins
 * with what is remembered here and is told of what is written here, so that the store is not asked.
 */
import { NotFoundError } from '@avtomatika/protocol'
import type { Job } from '../../job/job.ts'
import type { EngineParts } from '../engine-parts.ts'

export interface ChangeWait {
  /** Answer after this long in any case, in ms. */
  readonly waitMs: number
  /** Also answer as soon as the job was changed after this moment. Default: only its end is news. */
  readonly changedAfter?: number | undefined
  readonly signal: AbortSignal
}

/** How often a wait for a change looks by itself: another process may have made the change. */
const LOOK_AGAIN_MS = 1_000

export class JobReads {
  readonly #parts: Pick<EngineParts, 'storage' | 'writer' | 'clock'>
  #isOpen = false

  constructor(parts: Pick<EngineParts, 'storage' | 'writer' | 'clock'>) {
    this.#parts = parts
  }

  /** From now on one can wait. */
  open(): void {
    this.#isOpen = true
  }

  /** Sends home who waits. */
  close(): void {
    this.#isOpen = false
    this.#parts.writer.announceAll()
  }

  /**
   * Reads a job.
   * @param ownerId - a job of another owner is as good as none; left out, all are seen.
   * @throws NotFoundError `JOB_NOT_FOUND`
   */
  async read(jobId: string, ownerId?: string): Promise<Job> {
    const job = await this.#parts.storage.findJob(jobId)
    if (job !== undefined && isOf(job, ownerId)) return job
    throw new NotFoundError('JOB_NOT_FOUND', { message: 'Job not found' })
  }

  /**
   * Reads a job when it has ended, or there is other news of it, or time is up.
   * @throws NotFoundError `JOB_NOT_FOUND`
   */
  async await(jobId: string, ownerId: string | undefined, wait: ChangeWait): Promise<Job> {
    const { clock, writer } = this.#parts
    const until = clock.now() + wait.waitMs
    const recent = writer.findRecent(jobId)
    // What would be an answer at once must not be older than what another orchestrator has written.
    const canBegin = recent !== undefined && isOf(recent, ownerId) && !isNews(recent, wait)
    let latest = canBegin ? recent : await this.read(jobId, ownerId)
    while (!isNews(latest, wait)) {
      const left = until - clock.now()
      if (left <= 0 || wait.signal.aborted || !this.#isOpen) break
      const said = await this.#changeOf(latest, Math.min(left, LOOK_AGAIN_MS), wait.signal)
      const isNewer = said !== undefined && said.version > latest.version
      latest = isNewer ? said : (writer.findNewer(latest) ?? (await this.read(jobId)))
    }
    return latest
  }

  /** Resolves with a change, after a while, or when its caller has gone. */
  #changeOf({ id }: Job, ms: number, signal: AbortSignal): Promise<Job | undefined> {
    const { clock, writer } = this.#parts
    return new Promise((resolve) => {
      const end = (job?: Job): void => {
        stopWatching()
        cancel()
        signal.removeEventListener('abort', give)
        resolve(job)
      }
      const give = (): void => {
        end()
      }
      const stopWatching = writer.onChange(id, end)
      const cancel = clock.after(ms, give)
      signal.addEventListener('abort', give, { once: true })
    })
  }
}

function isOf({ owner }: Job, ownerId: string | undefined): boolean {
  return ownerId === undefined || owner.clientId === ownerId
}

function isNews({ wait, updatedAt }: Job, { changedAfter = Infinity }: ChangeWait): boolean {
  return wait === null || updatedAt > changedAfter
}
