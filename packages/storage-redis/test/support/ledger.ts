/** All history rows of a run, each once, for a test to wait for and to count. */
import type { HistoryRecord } from '@avtomatika/core'
import { RedisStorage } from '../../src/index.ts'
import { StreamHistory } from './stream-history.ts'

/** Longer than any lease. */
const HOUR_MS = 3_600_000
const BATCH = 500

/** Whether the row says that its job has ended. */
export function isEnd({ type }: HistoryRecord): boolean {
  return /^job_(finished|failed|quarantined|cancelled)$/.test(type)
}

export class Ledger {
  /** Rows that share an event id and say different things: a change that was made twice. */
  readonly contradictions: HistoryRecord[] = []
  readonly #redisUrl: string
  readonly #history: StreamHistory
  readonly #onRow: (row: HistoryRecord) => void
  readonly #rows = new Map<string, HistoryRecord>()
  readonly #ofJob = new Map<string, HistoryRecord[]>()
  readonly #listeners = new Set<() => void>()
  readonly #closing = new AbortController()
  readonly #reading: Promise<void>
  #failure: unknown

  /** @param onRow - told of each row, once. */
  constructor(redisUrl: string, onRow: (row: HistoryRecord) => void = () => undefined) {
    this.#redisUrl = redisUrl
    this.#onRow = onRow
    this.#history = new StreamHistory(redisUrl)
    this.#reading = this.#read().catch((error: unknown) => {
      this.#failure = error
      this.#tell()
    })
  }

  /** Ids of all jobs that there is a row of. */
  get jobIds(): readonly string[] {
    return [...this.#ofJob.keys()]
  }

  /** Rows of a job by version. */
  rowsOf(jobId: string): readonly HistoryRecord[] {
    return this.#ofJob.get(jobId) ?? []
  }

  /** Rows of one type of a job, by version. */
  typesOf(jobId: string, type: HistoryRecord['type']): readonly HistoryRecord[] {
    return this.rowsOf(jobId).filter((row) => row.type === type)
  }

  /** The states that a job left and entered, in order: `one > two`. */
  pathOf(jobId: string): readonly string[] {
    return this.typesOf(jobId, 'state_finished').map(
      ({ previousState = '', nextState = '' }) => `${previousState} > ${nextState}`,
    )
  }

  /** How a job ended, and ended again if it did. */
  endsOf(jobId: string): readonly string[] {
    return this.rowsOf(jobId)
      .filter(isEnd)
      .map(({ type }) => type)
  }

  /**
   * Resolves when the condition holds; it is asked whenever rows have come.
   * @throws the signal's reason when it is aborted before.
   */
  async until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    signal?.addEventListener('abort', () => {
      this.#tell()
    })
    while (!condition()) {
      signal?.throwIfAborted()
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => this.#listeners.add(resolve))
    }
  }

  /** Takes all rows that were written by now, those included that the dead had taken to deliver. */
  async complete(): Promise<void> {
    const storage = await RedisStorage.open({ url: this.#redisUrl })
    try {
      // From beyond all leases.
      const claim = { now: Date.now() + HOUR_MS, leaseMs: HOUR_MS, limit: BATCH }
      for (;;) {
        const rows = await storage.claimRecords(claim)
        if (rows.length === 0) break
        this.#add(rows)
      }
    } finally {
      await storage.close()
    }
    // What the living had delivered meanwhile.
    this.#add(await this.#history.all())
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#reading
    await this.#history.close()
  }

  async #read(): Promise<void> {
    for await (const rows of this.#history.follow(this.#closing.signal)) this.#add(rows)
  }

  #add(rows: readonly HistoryRecord[]): void {
    for (const row of rows) this.#take(row)
    this.#tell()
  }

  #take(row: HistoryRecord): void {
    const known = this.#rows.get(row.eventId)
    if (known !== undefined) {
      if (JSON.stringify(known) !== JSON.stringify(row)) this.contradictions.push(row)
      return
    }
    this.#rows.set(row.eventId, row)
    const rows = this.#ofJob.get(row.jobId) ?? []
    const after = rows.findIndex(({ version }) => version > row.version)
    rows.splice(after < 0 ? rows.length : after, 0, row)
    this.#ofJob.set(row.jobId, rows)
    this.#onRow(row)
  }

  #tell(): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
  }
}
