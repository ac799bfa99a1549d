/** One reader of a job's event stream: what it has not read yet is bounded. */
import type { JobStreamEndReason } from '@avtomatika/protocol'
import type { Job } from '../../job/job.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KeptChunk } from './chunk-buffer.ts'

export type JobStreamEvent =
  | { readonly kind: 'status'; readonly job: Job }
  | { readonly kind: 'progress'; readonly job: Job }
  | { readonly kind: 'chunk'; readonly chunk: KeptChunk }
  | { readonly kind: 'gap'; readonly lastEventId: string }
  | { readonly kind: 'end'; readonly reason: JobStreamEndReason }

/** Twice what is kept for those who come late, which they get at once. */
const MAX_EVENTS = 512
const MAX_BYTES = 512 * 1024
/** A reader that was given up may still read its last event for so long. */
const CUT_AFTER_MS = 10_000

export class JobReader {
  readonly #clock: Clock
  readonly #onClose: () => void
  readonly #cut = new AbortController()
  #events: JobStreamEvent[] = []
  #bytes = 0
  #isOver = false
  #wake: (() => void) | undefined
  #cancelCut: (() => void) | undefined

  /** @param onClose - called once, when nothing more can come. */
  constructor(clock: Clock, onClose: () => void) {
    this.#clock = clock
    this.#onClose = onClose
  }

  /** Aborted when the reader was given up, and did not even take its last event. */
  get cut(): AbortSignal {
    return this.#cut.signal
  }

  /** Adds an event; a reader that has too many unread ones is given up. */
  push(event: JobStreamEvent): void {
    if (this.#isOver) return
    this.#events.push(event)
    this.#bytes += bytesOf(event)
    this.#wake?.()
    if (this.#events.length <= MAX_EVENTS && this.#bytes <= MAX_BYTES) return
    this.end('too_slow')
    this.#cancelCut = this.#clock.after(CUT_AFTER_MS, () => {
      this.#cut.abort()
    })
  }

  /** Adds the last event. A second call changes nothing. */
  end(reason: JobStreamEndReason): void {
    if (this.#isOver) return
    this.#events.push({ kind: 'end', reason })
    this.#finish()
  }

  /** The other side has gone: nothing is kept for it. */
  close(): void {
    this.#events = []
    this.#cancelCut?.()
    if (!this.#isOver) this.#finish()
  }

  /** The next event; `undefined` when none comes in time, or none will ever come. */
  async next(ms: number): Promise<JobStreamEvent | undefined> {
    if (this.#events.length === 0 && !this.#isOver) await this.#news(ms)
    const event = this.#events.shift()
    if (event !== undefined) this.#bytes -= bytesOf(event)
    if (event?.kind === 'end') this.#cancelCut?.()
    return event
  }

  /** Whether there is nothing more to read. */
  get isDone(): boolean {
    return this.#isOver && this.#events.length === 0
  }

  #news(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, () => this.#wake?.())
      this.#wake = () => {
        this.#wake = undefined
        cancel()
        resolve()
      }
    })
  }

  #finish(): void {
    this.#isOver = true
    this.#wake?.()
    this.#onClose()
  }
}

function bytesOf(event: JobStreamEvent): number {
  return event.kind === 'chunk' ? event.chunk.bytes : 100
}
