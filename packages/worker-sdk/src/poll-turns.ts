// Turn rules.  P1 All polls that are open together ask for no more tasks than there are free slots, so
// that no task has to be handed back.  P2 Who is down or waits out a back-off holds up nobody.
// P3 Slots go first to those who had work at their last turn, but each who had none is asked again every
// PROBE_MS: an orchestrator without work costs next to nothing, and its first task does not wait long.
// P4 Among these the mode decides. FAILOVER: the best priority. WATERFALL: the same, and the others wait
// as long as a better one has work, even if there are slots. ROUND_ROBIN: smooth weighted rotation.
import type { Clock } from './clock.ts'
import type { OrchestratorMode } from './orchestrator-targets.ts'
import type { Wake } from './wake.ts'

/** An orchestrator without work is asked again after this long even when another one has plenty, in ms. */
export const PROBE_MS = 5000

/** How long such a poll waits when another orchestrator could use the slot at once, in ms. */
export const PROBE_WAIT_MS = 100

/** How long a poll without success may hold one of the last slots, in ms. */
export const SLICE_MS = 2000

/** The slots that turns share. */
export interface Slots {
  readonly free: number
  /** Notified when a slot frees. */
  readonly changed: Wake
}

/** Leave to ask one orchestrator once. */
export interface Turn {
  /** Most tasks to ask for. */
  readonly max: number
  /** How long the poll should wait, in ms. */
  readonly timeoutMs: number
  /** Gives the slots back that no task took; after the tasks were admitted. */
  end(came: 'tasks' | 'nothing' | 'failure'): void
}

/** What {@link PollTurns} needs. */
export interface PollTurnsOptions {
  readonly slots: Slots
  readonly mode: OrchestratorMode
  readonly clock: Clock
  readonly pollTimeoutMs: number
}

interface Seat {
  readonly rank: number
  readonly weight: number
  /** Of the smooth weighted rotation. */
  balance: number
  isWaiting: boolean
  /** Had tasks at its last turn. */
  isFlowing: boolean
  endedAt: number
  turn: Turn | undefined
  held: number
}

/** Shares the free slots of a worker among its orchestrators. */
export class PollTurns {
  readonly #options: PollTurnsOptions
  readonly #seats: Seat[] = []

  constructor(options: PollTurnsOptions) {
    this.#options = options
  }

  /**
   * Adds an orchestrator; best priority first.
   *
   * @returns waits for the next turn of this orchestrator; `undefined` after an abort.
   */
  join(weight: number): (signal: AbortSignal) => Promise<Turn | undefined> {
    const seat: Seat = {
      rank: this.#seats.length,
      weight,
      balance: 0,
      isWaiting: false,
      isFlowing: false,
      endedAt: -Infinity,
      turn: undefined,
      held: 0,
    }
    this.#seats.push(seat)
    return (signal) => this.#wait(seat, signal)
  }

  async #wait(seat: Seat, signal: AbortSignal): Promise<Turn | undefined> {
    const { changed } = this.#options.slots
    seat.isWaiting = true
    this.#grant()
    while (seat.turn === undefined && !signal.aborted) {
      await changed.wait(signal)
      this.#grant()
    }
    const { turn } = seat
    seat.isWaiting = false
    seat.turn = undefined
    if (!signal.aborted) return turn
    turn?.end('failure')
    return undefined
  }

  /** Gives turns as long as there are slots and somebody who may have one. */
  #grant(): void {
    let isAnyGranted = false
    for (;;) {
      const free = this.#free()
      const next = free > 0 ? this.#next() : undefined
      if (next === undefined) break
      next.turn = this.#turn(next, free)
      isAnyGranted = true
    }
    if (isAnyGranted) this.#options.slots.changed.notify()
  }

  #free(): number {
    return this.#seats.reduce((free, { held }) => free - held, this.#options.slots.free)
  }

  #waiting(): Seat[] {
    return this.#seats.filter(({ isWaiting, turn }) => isWaiting && turn === undefined)
  }

  #next(): Seat | undefined {
    const waiting = this.#waiting().filter((seat) => this.#mayAsk(seat))
    const probeBefore = this.#options.clock.now() - PROBE_MS
    const due = waiting.filter(({ isFlowing, endedAt }) => isFlowing || endedAt <= probeBefore)
    if (due.length === 0) return waiting.sort((a, b) => a.endedAt - b.endedAt)[0]
    return this.#options.mode === 'ROUND_ROBIN' ? rotate(due) : due[0]
  }

  /** P4, `WATERFALL`. Who failed or is in no hurry to ask does not flow. */
  #mayAsk({ rank }: Seat): boolean {
    if (this.#options.mode !== 'WATERFALL') return true
    return !this.#seats.some((other) => other.rank < rank && other.isFlowing)
  }

  #turn(seat: Seat, free: number): Turn {
    const others = this.#waiting().filter((other) => other !== seat)
    const isAlone = this.#seats.length === 1
    const max = isAlone ? free : seat.isFlowing ? Math.max(1, free - others.length) : 1
    seat.held = max
    let isOver = false
    return {
      max,
      timeoutMs: this.#timeoutMs(seat, free - max, others),
      end: (came) => {
        if (isOver) return
        isOver = true
        seat.held = 0
        seat.isFlowing = came === 'tasks'
        seat.endedAt = this.#options.clock.now()
        this.#grant()
        // In `WATERFALL` this may have made way for others, who wait for a notification.
        this.#options.slots.changed.notify()
      },
    }
  }

  /** A poll that finds nothing keeps its slot from the others for this long. */
  #timeoutMs(seat: Seat, rest: number, others: readonly Seat[]): number {
    const { pollTimeoutMs, mode } = this.#options
    if (this.#seats.length === 1) return pollTimeoutMs
    const isInTheWay = rest === 0 && others.some(({ isFlowing }) => isFlowing)
    const isHoldingUp = mode === 'WATERFALL' && seat.isFlowing && others.length > 0
    if (isInTheWay || isHoldingUp) return Math.min(PROBE_WAIT_MS, pollTimeoutMs)
    return rest >= this.#seats.length ? pollTimeoutMs : Math.min(SLICE_MS, pollTimeoutMs)
  }
}

/** Smooth weighted rotation: A A B with weights 2 and 1 becomes A B A. */
function rotate(seats: readonly Seat[]): Seat | undefined {
  let best: Seat | undefined
  let total = 0
  for (const seat of seats) {
    total += seat.weight
    seat.balance += seat.weight
    if (best === undefined || seat.balance > best.balance) best = seat
  }
  if (best !== undefined) best.balance -= total
  return best
}
