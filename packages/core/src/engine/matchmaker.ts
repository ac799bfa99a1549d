/**
 * Reserves tasks for the workers that their strategies prefer, at the moment they are offered (W5,
 * W6). What it knows may be a second old: that costs at most the time of a reservation.
 */
import type { OfferedTask } from '../job/effect.ts'
import type { TaskDemand } from '../job/task.ts'
import type { Clock } from '../ports/clock.ts'
import { classIdOf, type Reservation } from '../ports/task-store.ts'
import type { WorkerRecord } from '../ports/worker-record.ts'
import { fits } from './eligibility.ts'
import type { Roster } from './roster.ts'
import { chooseAmong } from './strategies.ts'

/** How long a preference may hold a task back, in ms (W6). */
export const RESERVATION_MS = 250
/** Classes whose workers are remembered; the one that was used longest ago makes room. */
const MAX_CLASSES = 1_000

interface ClassOfWorkers {
  readonly demand: TaskDemand
  readonly workers: Map<string, WorkerRecord>
}

export class Matchmaker {
  readonly #roster: Roster
  readonly #clock: Clock
  readonly #classes = new Map<string, ClassOfWorkers>()

  constructor({ roster, clock }: { readonly roster: Roster; readonly clock: Clock }) {
    this.#roster = roster
    this.#clock = clock
    roster.onChange((workerId, { now }) => {
      for (const { demand, workers } of this.#classes.values()) {
        if (now !== undefined && fits(now, demand)) workers.set(workerId, now)
        else workers.delete(workerId)
      }
    })
  }

  /** Who should have a task first that is about to be offered; `undefined` when it does not matter. */
  reservationFor(task: OfferedTask): Reservation | undefined {
    const now = this.#clock.now()
    const { taskId, demand, strategy, avoid } = task
    const { workers } = this.#classOf(demand)
    const able = [...workers.values()].filter(
      ({ workerId, expiresAt }) =>
        expiresAt > now && workerId !== avoid?.workerId && !this.#roster.hasMissed(workerId),
    )
    const choice = able.length === 0 ? undefined : chooseAmong(strategy, able, demand)
    return choice && { taskId, ...choice, now, until: now + RESERVATION_MS }
  }

  #classOf(demand: TaskDemand): ClassOfWorkers {
    const classId = classIdOf(demand)
    const known = this.#classes.get(classId)
    if (known !== undefined) return known
    const made: ClassOfWorkers = { demand, workers: new Map() }
    for (const worker of this.#roster.all()) {
      if (fits(worker, demand)) made.workers.set(worker.workerId, worker)
    }
    this.#classes.set(classId, made)
    const [oldest] = this.#classes.keys()
    if (this.#classes.size > MAX_CLASSES && oldest !== undefined) this.#classes.delete(oldest)
    return made
  }
}
