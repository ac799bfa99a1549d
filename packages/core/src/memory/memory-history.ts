/** Histories of jobs in the memory of this process, for the newest jobs only. */
import type { HistoryRecord } from '../job/effect.ts'
import type { History } from '../ports/history.ts'
import { closedError } from './closed-error.ts'
import { Fifo } from './fifo.ts'

/** Limits of a {@link MemoryHistory}. */
export interface MemoryHistoryOptions {
  /** Jobs whose rows are kept; beyond that the job that came first is forgotten. Default 10 000. */
  readonly maxJobs?: number
}

interface JobRows {
  /** Oldest first. */
  readonly rows: HistoryRecord[]
  readonly eventIds: Set<string>
}

/** History in the memory of this process. */
export class MemoryHistory implements History {
  readonly #jobs = new Map<string, JobRows>()
  readonly #arrivals = new Fifo<string>()
  readonly #maxJobs: number
  #isClosed = false

  constructor(options: MemoryHistoryOptions = {}) {
    this.#maxJobs = options.maxJobs ?? 10_000
  }

  append(records: readonly HistoryRecord[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError('memory history'))
    for (const record of records) insert(this.#rowsOf(record.jobId), record)
    return Promise.resolve()
  }

  ofJob(jobId: string): Promise<readonly HistoryRecord[]> {
    if (this.#isClosed) return Promise.reject(closedError('memory history'))
    return Promise.resolve([...(this.#jobs.get(jobId)?.rows ?? [])])
  }

  /** Ends the history; a second call does nothing. */
  close(): Promise<void> {
    this.#isClosed = true
    return Promise.resolve()
  }

  #rowsOf(jobId: string): JobRows {
    const known = this.#jobs.get(jobId)
    if (known !== undefined) return known
    const created: JobRows = { rows: [], eventIds: new Set() }
    this.#jobs.set(jobId, created)
    this.#arrivals.push(jobId)
    if (this.#arrivals.size > this.#maxJobs) {
      const oldest = this.#arrivals.shift()
      if (oldest !== undefined) this.#jobs.delete(oldest)
    }
    return created
  }
}

function insert({ rows, eventIds }: JobRows, record: HistoryRecord): void {
  if (eventIds.has(record.eventId)) return
  eventIds.add(record.eventId)
  // Rows come nearly in order; one that was delivered late still finds its place.
  let place = rows.length
  while (place > 0 && (rows[place - 1]?.version ?? 0) > record.version) place -= 1
  rows.splice(place, 0, record)
}
