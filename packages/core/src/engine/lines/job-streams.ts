/**
 * The event streams of jobs: their pieces of output, from whatever orchestrator their worker told, and
 * how they get on.
 *
 * Pieces of output are in no document and no history. They go by hints, which every orchestrator hears in
 * one order, and the latest of them are kept in memory for readers who come late. How a job gets on is
 * read from its document: at once when this orchestrator changed it, within a second when another did.
 */
import { LimitError, type JobStreamEndReason } from '@avtomatika/protocol'
import type { Job } from '../../job/job.ts'
import type { Hint, StreamHint } from '../../ports/hint.ts'
import { ChunkBuffer } from './chunk-buffer.ts'
import type { EngineParts } from '../engine-parts.ts'
import { JobReader } from './job-reader.ts'

const LOOK_AGAIN_MS = 1_000
/** What was told before a job ended has come round by then, or does not come. */
const FLUSH_MS = 1_000
/** Readers who were cut off at the end of a job may come back for so long. */
const KEPT_AFTER_END_MS = 60_000
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024
const MAX_BUFFERS = 10_000
const MAX_READERS = 10_000

/** A job that somebody reads. */
interface Watch {
  readonly readers: Set<JobReader>
  readonly stop: () => void
  job: Job
  isLooking: boolean
  isToLookAgain: boolean
}

export class JobStreams {
  readonly #parts: Pick<EngineParts, 'storage' | 'writer' | 'clock' | 'ids' | 'log'>
  readonly #watches = new Map<string, Watch>()
  /** Of the jobs whose output came last, the latest at the end. */
  readonly #buffers = new Map<string, ChunkBuffer>()
  readonly #marks = new Map<string, () => void>()
  readonly #timers = new Set<() => void>()
  #bufferedBytes = 0
  #readers = 0

  constructor(parts: Pick<EngineParts, 'storage' | 'writer' | 'clock' | 'ids' | 'log'>) {
    this.#parts = parts
  }

  /** Streams that are read. */
  get size(): number {
    return this.#readers
  }

  /**
   * Begins to read a job.
   * @param job - as its reader may see it, just read.
   * @param lastEventId - of the last piece of output that the reader has had.
   * @throws LimitError `OVERLOADED` for one reader too many.
   */
  open(job: Job, lastEventId?: string): JobReader {
    if (this.#readers >= MAX_READERS) {
      const message = 'This orchestrator serves as many event streams as it can; try again.'
      throw new LimitError('OVERLOADED', { message, retryAfterMs: LOOK_AGAIN_MS })
    }
    const watch = this.#watches.get(job.id) ?? this.#watch(job)
    const reader = new JobReader(this.#parts.clock, () => {
      this.#readers -= 1
      watch.readers.delete(reader)
      if (watch.readers.size === 0) this.#unwatch(job.id, watch)
    })
    this.#readers += 1
    watch.readers.add(reader)
    reader.push({ kind: 'status', job: watch.job })
    if (watch.job.progress !== null) reader.push({ kind: 'progress', job: watch.job })
    this.#replay(job.id, reader, lastEventId)
    this.#look(job.id, watch)
    return reader
  }

  /** Takes in what was told, here or elsewhere. */
  hear(hint: Hint): void {
    if (hint.kind === 'stream') this.#hearChunks(hint)
    if (hint.kind === 'stream_mark') this.#marks.get(hint.id)?.()
    if (hint.kind === 'job_ended' && this.#buffers.has(hint.jobId)) {
      this.#later(KEPT_AFTER_END_MS, () => {
        this.#forget(hint.jobId)
      })
    }
  }

  /** Ends all streams. */
  stop(): void {
    for (const { readers } of [...this.#watches.values()]) endAll(readers, 'stopped')
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    for (const heard of [...this.#marks.values()]) heard()
  }

  #watch(job: Job): Watch {
    const look = (): void => {
      this.#look(job.id, watch)
    }
    const stopWatching = this.#parts.writer.onChange(job.id, look)
    let cancel = (): void => undefined
    const again = (): void => {
      cancel = this.#parts.clock.after(LOOK_AGAIN_MS, () => {
        look()
        again()
      })
    }
    again()
    const stop = (): void => {
      stopWatching()
      cancel()
    }
    const watch: Watch = { readers: new Set(), stop, job, isLooking: false, isToLookAgain: false }
    this.#watches.set(job.id, watch)
    return watch
  }

  #unwatch(jobId: string, watch: Watch): void {
    watch.stop()
    if (this.#watches.get(jobId) === watch) this.#watches.delete(jobId)
  }

  #replay(jobId: string, reader: JobReader, lastEventId: string | undefined): void {
    const buffer = this.#buffers.get(jobId)
    const missed = lastEventId === undefined ? undefined : buffer?.after(lastEventId)
    if (lastEventId !== undefined && missed === undefined) reader.push({ kind: 'gap', lastEventId })
    for (const chunk of missed ?? buffer?.all() ?? []) reader.push({ kind: 'chunk', chunk })
  }

  /** Reads the job as it is now; what happens meanwhile is looked at right after. */
  #look(jobId: string, watch: Watch): void {
    watch.isToLookAgain = true
    if (watch.isLooking) return
    watch.isLooking = true
    const looking = async (): Promise<void> => {
      while (watch.isToLookAgain && watch.readers.size > 0) {
        watch.isToLookAgain = false
        const { writer, storage } = this.#parts
        const job = writer.findNewer(watch.job) ?? (await storage.findJob(jobId))
        if (job === undefined) endAll(watch.readers, 'job_gone')
        else await this.#tell(watch, job)
      }
    }
    looking()
      .catch((error: unknown) => {
        this.#parts.log.debug({ err: error, jobId }, 'a job that is read could not be looked at')
      })
      .finally(() => {
        watch.isLooking = false
      })
  }

  async #tell(watch: Watch, job: Job): Promise<void> {
    if (job.version < watch.job.version) return
    const isOver = job.wait === null
    // Its output was told before its end, and may be on its way.
    if (isOver) await this.#flush()
    const { job: before } = watch
    watch.job = job
    const hasProgress =
      job.progress !== before.progress || job.progressMessage !== before.progressMessage
    const isNews = job.status !== before.status || job.state !== before.state
    for (const reader of [...watch.readers]) {
      if (hasProgress && job.progress !== null) reader.push({ kind: 'progress', job })
      if (isNews) reader.push({ kind: 'status', job })
    }
    if (isOver) endAll(watch.readers, 'job_ended')
  }

  /** Resolves when everything that was told by now has been heard. */
  #flush(): Promise<void> {
    const { storage, ids, log } = this.#parts
    const id = ids.jobId()
    return new Promise((resolve) => {
      const done = (): void => {
        this.#marks.delete(id)
        cancel()
        resolve()
      }
      const cancel = this.#later(FLUSH_MS, done)
      this.#marks.set(id, done)
      storage.tell([{ kind: 'stream_mark', id }]).catch((error: unknown) => {
        log.debug({ err: error }, 'the end of a stream could not be told; not waiting for it')
        done()
      })
    })
  }

  #hearChunks(hint: StreamHint): void {
    const { jobId } = hint
    const buffer = this.#buffers.get(jobId) ?? new ChunkBuffer()
    this.#forget(jobId)
    const added = buffer.add(hint)
    this.#buffers.set(jobId, buffer)
    this.#bufferedBytes += buffer.bytes
    for (const [oldest] of this.#buffers) {
      if (this.#bufferedBytes <= MAX_BUFFERED_BYTES && this.#buffers.size <= MAX_BUFFERS) break
      this.#forget(oldest)
    }
    for (const reader of [...(this.#watches.get(jobId)?.readers ?? [])]) {
      for (const chunk of added) reader.push({ kind: 'chunk', chunk })
    }
  }

  #forget(jobId: string): void {
    this.#bufferedBytes -= this.#buffers.get(jobId)?.bytes ?? 0
    this.#buffers.delete(jobId)
  }

  #later(ms: number, callback: () => void): () => void {
    const cancel = this.#parts.clock.after(ms, () => {
      this.#timers.delete(cancel)
      callback()
    })
    this.#timers.add(cancel)
    return () => {
      cancel()
      this.#timers.delete(cancel)
    }
  }
}

function endAll(readers: ReadonlySet<JobReader>, reason: JobStreamEndReason): void {
  for (const reader of [...readers]) reader.end(reason)
}
