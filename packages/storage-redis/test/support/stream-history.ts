/** A history in a Redis stream, which no death of an orchestrator takes away. */
import type { History, HistoryRecord } from '@avtomatika/core'
import { Redis } from 'ioredis'

const STREAM = 'test:history'

export class StreamHistory implements History {
  readonly #redis: Redis

  constructor(redisUrl: string) {
    this.#redis = new Redis(redisUrl)
  }

  /** Keeps what it is given, repetitions included: a reader wants to know of those. */
  async append(records: readonly HistoryRecord[]): Promise<void> {
    const writes = this.#redis.multi()
    for (const record of records) writes.xadd(STREAM, '*', 'row', JSON.stringify(record))
    for (const [error] of (await writes.exec()) ?? []) if (error !== null) throw error
  }

  async ofJob(jobId: string): Promise<readonly HistoryRecord[]> {
    const rows = new Map((await this.all()).map((row) => [row.eventId, row]))
    return [...rows.values()].filter((row) => row.jobId === jobId).sort(byVersion)
  }

  async all(): Promise<readonly HistoryRecord[]> {
    const entries = await this.#redis.xrange(STREAM, '-', '+')
    return entries.map(toRow)
  }

  /** Rows as they come, from the first one on, until the abort. */
  async *follow(signal: AbortSignal): AsyncGenerator<readonly HistoryRecord[]> {
    const reader = this.#redis.duplicate({ maxRetriesPerRequest: null })
    signal.addEventListener('abort', () => {
      reader.disconnect()
    })
    let last = '0'
    while (!signal.aborted) {
      const read = reader.xread('COUNT', 1_000, 'BLOCK', 0, 'STREAMS', STREAM, last)
      const [, entries] = (await read.catch(endedBy(signal)))?.[0] ?? ['', []]
      last = entries.at(-1)?.[0] ?? last
      if (entries.length > 0) yield entries.map(toRow)
    }
  }

  async close(): Promise<void> {
    this.#redis.disconnect()
    await Promise.resolve()
  }
}

function toRow([, [, row = '']]: readonly [id: string, fields: string[]]): HistoryRecord {
  return JSON.parse(row) as HistoryRecord
}

function byVersion(a: HistoryRecord, b: HistoryRecord): number {
  return a.version - b.version
}

/** A read that the abort cut short has read nothing; any other failure is one. */
function endedBy(signal: AbortSignal): (error: unknown) => null {
  return (error) => {
    if (signal.aborted) return null
    throw error
  }
}
