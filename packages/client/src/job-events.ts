// Rules of watching.
// E1 What was lost with a connection is asked for again: with the id of the last piece of output, so
//    that none is missing or comes twice. Where the server does not know it any more, it says so: `gap`.
// E2 Until the job has been seen, this fails as any call does, after the usual retries. From then on an
//    outage of the server is waited out, for as long as `outageMs` says; the job is safe there.
// E3 A status or progress that was told already is not told again after a new connection.
// E4 Nothing is read ahead of whoever iterates, but for what one read of the connection brings. The
//    server keeps what is not read, up to its limits.
// E5 A connection on which nothing comes, not even what keeps it alive, is as good as lost.

import { ConnectionError, InputError } from '@avtomatika/protocol'

import { backoffMs } from './backoff.ts'
import type { BackoffPolicy } from './backoff.ts'
import type { Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { EventStreamReader } from './event-stream.ts'
import { readJobEvent } from './job-event.ts'
import type { JobEvent } from './job-event.ts'
import { isPassing, retryAfterMs } from './transport.ts'
import type { ReadableBody } from './read-body.ts'

/** How to watch a job. */
export interface JobEventsOptions {
  /** Give up when the server has been away for this long, in ms. Default 300 000; `Infinity` never does. */
  readonly outageMs?: number | undefined
  /** Ends the watch, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** What watching needs from the client. */
export interface WatchParts {
  /** Opens the job's stream, after the last piece of output that came. One try. */
  readonly open: (
    lastEventId: string | undefined,
    signal: AbortSignal | undefined,
  ) => Promise<ReadableBody>
  readonly clock: Clock
  readonly random: () => number
  /** How often it is tried again before the job has been seen. */
  readonly retries: number
  readonly closing: AbortSignal
}

const DEFAULT_OUTAGE_MS = 300_000

/** Orchestrators send something every 15 s. */
const SILENCE_MS = 45_000

const PAUSE: BackoffPolicy = { firstMs: 200, maxMs: 5_000 }

/** A server that asks for more is not waited for before the job has been seen. */
const MAX_RETRY_AFTER_MS = 30_000

/** @throws {@link InputError} `INVALID_REQUEST`, with the option's name in `details.option`. */
export function checkJobEventsOptions({ outageMs }: JobEventsOptions): void {
  if (outageMs === undefined || (typeof outageMs === 'number' && outageMs > 0)) return
  throw new InputError('INVALID_REQUEST', {
    message: `outageMs must be a number of milliseconds above 0, got ${String(outageMs)}.`,
    details: { option: 'outageMs' },
  })
}

/** Watches a job until it ends; see `AvtomatikaClient.jobEvents`. */
export async function* watchJob(
  options: JobEventsOptions,
  parts: WatchParts,
): AsyncGenerator<JobEvent, void, undefined> {
  const watch = new Watch(options, parts)
  for (;;) {
    try {
      for await (const event of watch.connection()) {
        yield event
        if (event.type === 'end') return
      }
      watch.noteCut()
    } catch (error) {
      watch.noteFailure(error)
    }
    await watch.pause()
  }
}

class Watch {
  readonly #options: JobEventsOptions
  readonly #parts: WatchParts
  readonly #told = new Told()
  #lastEventId: string | undefined
  #isSeen = false
  /** Since when the server is away. */
  #awaySince: number | undefined
  /** Connections in a row that brought nothing new. */
  #vainTries = 0
  #askedMs = 0

  constructor(options: JobEventsOptions, parts: WatchParts) {
    this.#options = options
    this.#parts = parts
  }

  /** What one connection brings that is new; ends without an `end` when the connection does. */
  async *connection(): AsyncGenerator<JobEvent, void, undefined> {
    const body = await this.#parts.open(this.#lastEventId, this.#options.signal)
    const reader = new EventStreamReader()
    const chunks = body[Symbol.asyncIterator]()
    try {
      for (;;) {
        const bytes = await this.#read(body, chunks)
        if (bytes === undefined) return
        for (const each of reader.push(bytes)) {
          const event = readJobEvent(each)
          this.#isSeen = true
          this.#awaySince = undefined
          if (event?.type === 'cut') return
          this.#lastEventId = each.lastEventId ?? this.#lastEventId
          if (event !== undefined && this.#isNews(event)) yield event
        }
      }
    } finally {
      body.destroy()
    }
  }

  /** The connection ended without a word, or with one that says: come back. */
  noteCut(): void {
    // One that never brought an event may be none of ours.
    if (!this.#isSeen) throw lost('it ended without an event')
    this.#vainTries += 1
    this.#askedMs = 0
  }

  /** @throws what cannot be waited out. */
  noteFailure(error: unknown): void {
    this.#options.signal?.throwIfAborted()
    this.#parts.closing.throwIfAborted()
    if (!isPassing(error) || !this.#mayTryAgain(retryAfterMs(error))) throw error
    this.#vainTries += 1
    this.#askedMs = retryAfterMs(error)
  }

  async pause(): Promise<void> {
    const { clock, random, closing } = this.#parts
    const ms = this.#askedMs + backoffMs(PAUSE, Math.max(1, this.#vainTries), random)
    const scope = {
      clock,
      timeoutMs: Infinity,
      onTimeout: () => new Error('unreachable'),
      signals: [this.#options.signal, closing],
    }
    await withDeadline(scope, (signal) => clock.sleep(ms, signal))
  }

  #mayTryAgain(askedMs: number): boolean {
    const { clock, retries } = this.#parts
    if (!this.#isSeen) return this.#vainTries < retries && askedMs <= MAX_RETRY_AFTER_MS
    const now = clock.now()
    this.#awaySince ??= now
    return now - this.#awaySince < (this.#options.outageMs ?? DEFAULT_OUTAGE_MS)
  }

  #isNews(event: JobEvent): boolean {
    if (!this.#told.isNew(event)) return false
    this.#vainTries = 0
    return true
  }

  /** The next bytes; `undefined` at the end. */
  async #read(body: ReadableBody, chunks: AsyncIterator<unknown>): Promise<Uint8Array | undefined> {
    const { clock, closing } = this.#parts
    const scope = {
      clock,
      timeoutMs: SILENCE_MS,
      onTimeout: () => lost(`silent for ${SILENCE_MS} ms`),
      signals: [this.#options.signal, closing],
    }
    const next = await withDeadline(scope, async (signal) => {
      const leave = (): void => void body.destroy()
      signal.addEventListener('abort', leave, { once: true })
      try {
        return await chunks.next()
      } catch (error) {
        throw lost('it broke off', error)
      } finally {
        signal.removeEventListener('abort', leave)
      }
    })
    if (next.done === true) return undefined
    if (next.value instanceof Uint8Array) return next.value
    throw new TypeError('The dispatcher gave a body of no bytes.')
  }
}

/** What the reader was told of the job's status and progress last (E3). */
class Told {
  #status = ''
  #progress = ''

  isNew(event: JobEvent): boolean {
    if (event.type === 'status') {
      const before = this.#status
      this.#status = JSON.stringify([event.status, event.currentState, event.error])
      return this.#status !== before
    }
    if (event.type === 'progress') {
      const before = this.#progress
      this.#progress = JSON.stringify([event.progress, event.message])
      return this.#progress !== before
    }
    return true
  }
}

function lost(why: string, cause?: unknown): ConnectionError {
  return new ConnectionError('CONNECTION_FAILED', {
    message: `The connection to the job's event stream was lost (${why}). The job goes on.`,
    cause,
  })
}
