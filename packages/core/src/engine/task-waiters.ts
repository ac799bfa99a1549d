/** The long polls that wait at this orchestrator, and who of them is woken. */
import type { TaskDemand } from '../job/task.ts'

interface Waiter {
  readonly fits: (demand: TaskDemand) => boolean
  readonly wake: (call: Call) => void
  /** The newest call that this waiter has had its try for. */
  tried: number
}

/** A task that somebody should look for. */
export interface Call {
  readonly number: number
  readonly demand: TaskDemand
}

export class TaskWaiters {
  readonly #waiters = new Set<Waiter>()
  #calls = 0

  get size(): number {
    return this.#waiters.size
  }

  /** Wakes the longest waiting poll that fits: one per task, so that no herd runs for it. */
  call(demand: TaskDemand): void {
    this.#calls += 1
    this.passOn({ number: this.#calls, demand })
  }

  /** A woken poll could not take the task (it left, or was full): the next one gets a try. */
  passOn(call: Call): void {
    for (const waiter of this.#waiters) {
      if (waiter.tried >= call.number || !waiter.fits(call.demand)) continue
      waiter.tried = call.number
      this.#waiters.delete(waiter)
      waiter.wake(call)
      return
    }
  }

  wakeAll(): void {
    const all = [...this.#waiters]
    this.#waiters.clear()
    for (const waiter of all) waiter.wake({ number: 0, demand: { type: '' } })
  }

  /** Waits to be woken; `leave` ends the wait without a call. */
  wait(fits: (demand: TaskDemand) => boolean, tried: number): Waiting {
    let leave = (): void => undefined
    const woken = new Promise<Call | undefined>((resolve) => {
      const waiter: Waiter = { fits, wake: resolve, tried }
      this.#waiters.add(waiter)
      leave = () => {
        if (this.#waiters.delete(waiter)) resolve(undefined)
      }
    })
    return { woken, leave }
  }
}

export interface Waiting {
  readonly woken: Promise<Call | undefined>
  readonly leave: () => void
}
