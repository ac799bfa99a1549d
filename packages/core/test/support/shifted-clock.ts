/** The clock of this machine, set to another time; a test may let time pass. */
import { systemClock, type Clock } from '../../src/ports/clock.ts'

export class ShiftedClock implements Clock {
  #shiftMs: number

  constructor(startsAt: number) {
    this.#shiftMs = startsAt - systemClock.now()
  }

  now(): number {
    return systemClock.now() + this.#shiftMs
  }

  after(ms: number, callback: () => void): () => void {
    return systemClock.after(ms, callback)
  }

  pass(ms: number): void {
    this.#shiftMs += ms
  }
}
