// What the worker would say if it beat now, in memory that the heartbeat thread reads when the worker
// cannot speak. Writing costs no message and wakes nobody, so that each task may be told of.
// M1 A beat is read whole or not at all: a count that is odd while it is written tells.  M2 Who writes
// knows until when the reader sleeps; M3 and who goes to sleep looks once more after saying so, so that
// a beat which is due before that is never slept through.

/** What to say, and when the worker means to say it itself. */
export interface Beat {
  /** In ms since 1970. */
  readonly dueAt: number
  readonly body: string
}

/** So much later than the worker meant to beat it is clear that it cannot, in ms. */
export const GRACE_MS = 500

const COUNT = 0
const LENGTH = 1
const DUE_AT = 1
const ASLEEP_UNTIL = 2
const HEADER_BYTES = 24
const AWAKE = -1n
const FOR_EVER = 2n ** 62n

/** The memory of one deputy; the same class on both sides. */
export class BeatMemory {
  readonly buffer: SharedArrayBuffer
  readonly #counts: Int32Array
  readonly #times: BigInt64Array
  readonly #text: Buffer

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#counts = new Int32Array(buffer, 0, 2)
    this.#times = new BigInt64Array(buffer, 0, HEADER_BYTES / 8)
    this.#text = Buffer.from(buffer, HEADER_BYTES)
  }

  /** @param textBytes - room for the text of a beat, in bytes. */
  static ofSize(textBytes: number): BeatMemory {
    return new BeatMemory(new SharedArrayBuffer(HEADER_BYTES + textBytes))
  }

  /** Grows with each change. */
  get count(): number {
    return Atomics.load(this.#counts, COUNT)
  }

  /** Whether a beat of this text has room. */
  fits(body: string): boolean {
    return this.#text.length >= body.length * 3 || this.#text.length >= Buffer.byteLength(body)
  }

  /** Replaces the beat; `undefined` = nothing is to be said. */
  write(beat: Beat | undefined): void {
    Atomics.add(this.#counts, COUNT, 1)
    const length = beat === undefined ? 0 : this.#text.write(beat.body)
    Atomics.store(this.#counts, LENGTH, length)
    Atomics.store(this.#times, DUE_AT, BigInt(Math.round(Math.min(beat?.dueAt ?? 0, 1e15))))
    Atomics.add(this.#counts, COUNT, 1)
  }

  /** The beat, `undefined` when there is none, `'busy'` while one is being written. */
  read(): Beat | 'busy' | undefined {
    const { count } = this
    const length = Atomics.load(this.#counts, LENGTH)
    const dueAt = Number(Atomics.load(this.#times, DUE_AT))
    const body = this.#text.toString('utf8', 0, length)
    if (count % 2 !== 0 || this.count !== count) return 'busy'
    return length === 0 ? undefined : { dueAt, body }
  }

  /** The reader: until when it sleeps, in ms since 1970; `Infinity` = until it is woken. */
  sleepUntil(at: number): void {
    const ms = Number.isFinite(at) ? BigInt(Math.ceil(at)) : FOR_EVER
    Atomics.store(this.#times, ASLEEP_UNTIL, ms)
  }

  /** The reader: it looks before it sleeps again. */
  stayAwake(): void {
    Atomics.store(this.#times, ASLEEP_UNTIL, AWAKE)
  }

  /** Whether the reader would still sleep at this time, in ms since 1970. */
  isAsleepAt(at: number): boolean {
    return Number(Atomics.load(this.#times, ASLEEP_UNTIL)) > at
  }
}
