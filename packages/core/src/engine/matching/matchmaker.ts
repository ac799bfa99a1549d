/**
 * Reserves tasks for the workers that their strategies prefer, at the moment they are offered (W5,
 * W6). What it knows may be a second old: that costs at most the time of a reservation.
 */
import { isDeepStrictEqual } from 'node:util'
import type { OfferedTask } from '../../job/effect.ts'
import type { TaskDemand } from '../../job/task.ts'
import type { EpochMs } from '../../job/vocabulary.ts'
import type { Clock } from '../../ports/clock.ts'
import { classIdOf, type Reservation } from '../../ports/task-store.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import { fits, isUnchanged } from './eligibility.ts'
import type { Roster } from '../workers/roster.ts'
import { choose, rank, rankBy, type Ranking, type Strategies, type Strategy } from './strategies.ts'

/** How long a preference may hold a task back, in ms (W6). */
export const RESERVATION_MS = 250
/** Classes whose workers are remembered; the one that was used longest ago makes room. */
const MAX_CLASSES = 1_000

const MAX_RANKINGS = 16
/** Loads are at most this old, in ms; what else counts is looked at as soon as it changes. */
const RANKING_MS = 1_000

interface ClassOfWorkers {
  readonly demand: TaskDemand
  readonly workers: Map<string, WorkerRecord>
  /** By strategy. Putting thousands in order for each task would take longer than all the rest. */
  readonly rankings: Map<string, { readonly ranking: Ranking; readonly until: EpochMs }>
}

export interface MatchmakerOptions {
  readonly roster: Roster
  readonly clock: Clock
  /** Nothing is reserved for workers that are trusted less. Default 0. */
  readonly minReputation?: number
  /** The host's own, by name. Default: none. */
  readonly strategies?: Strategies
  /** Told what one of them threw. */
  readonly onStrategyError?: (error: unknown) => void
}

export class Matchmaker {
  readonly #roster: Roster
  readonly #clock: Clock
  readonly #minReputation: number
  readonly #strategies: Strategies
  readonly #onStrategyError: (error: unknown) => void
  /** The class that was used longest ago stands first. */
  readonly #classes = new Map<string, ClassOfWorkers>()
  /** Tasks of a type that were given out in turn so far, whatever else they demand. */
  readonly #turns = new Map<string, number>()

  constructor(options: MatchmakerOptions) {
    const { roster, clock, minReputation = 0, strategies = new Map() } = options
    this.#roster = roster
    this.#clock = clock
    this.#minReputation = minReputation
    this.#strategies = strategies
    this.#onStrategyError = options.onStrategyError ?? (() => undefined)
    roster.onChange((workerId, { before, now }) => {
      const isHere = before !== undefined && now !== undefined
      const isSame = isHere && ranksTheSame(before, now)
      const fitsTheSame = isHere && isUnchanged(before, now)
      for (const { demand, workers, rankings } of this.#classes.values()) {
        const wasIn = workers.delete(workerId)
        const isIn = now !== undefined && (fitsTheSame ? wasIn : fits(now, demand))
        if (isIn) workers.set(workerId, now)
        if (wasIn !== isIn || (isIn && !isSame)) rankings.clear()
      }
    })
  }

  /** Who should have a task first that is about to be offered; `undefined` when it does not matter. */
  reservationFor(task: OfferedTask): Reservation | undefined {
    const now = this.#clock.now()
    const { taskId, demand, strategy, avoid } = task
    const ofClass = this.#classOf(demand)
    const isAble = ({ workerId, reputation }: WorkerRecord): boolean =>
      reputation >= this.#minReputation &&
      (ofClass.workers.get(workerId)?.expiresAt ?? 0) > now &&
      workerId !== avoid?.workerId &&
      !this.#roster.hasMissed(workerId)
    const ranking = this.#rankingOf(ofClass, strategy, now)
    const turn = ranking.choose === 'turn' ? this.#nextTurn(demand.type) : 0
    const choice = choose(ranking, { isAble, turn })
    return choice && { taskId, ...choice, now, until: now + RESERVATION_MS }
  }

  /**
   * By type, as the store counts: where hardly two tasks demand the same, those that stand last would
   * never be named if each class began with the first.
   */
  #nextTurn(type: string): number {
    const turn = this.#turns.get(type) ?? 0
    this.#turns.delete(type)
    this.#turns.set(type, turn + 1)
    const [oldest] = this.#turns.keys()
    if (this.#turns.size > MAX_CLASSES && oldest !== undefined) this.#turns.delete(oldest)
    return turn
  }

  #rankingOf({ workers, demand, rankings }: ClassOfWorkers, name: string, now: EpochMs): Ranking {
    const known = rankings.get(name)
    if (known !== undefined && known.until > now) return known.ranking
    // Names are the blueprints' choice.
    if (rankings.size > MAX_RANKINGS) rankings.clear()
    const own = this.#strategies.get(name)
    const all = [...workers.values()]
    const ranking = own === undefined ? rank(name, all, demand) : this.#rankBy(own, all, demand)
    rankings.set(name, { ranking, until: now + RANKING_MS })
    return ranking
  }

  /** A host's mistake must not keep tasks from being offered: then nobody is preferred. */
  #rankBy(own: Strategy, workers: readonly WorkerRecord[], demand: TaskDemand): Ranking {
    try {
      return rankBy(own, workers, demand)
    } catch (error) {
      this.#onStrategyError(error)
      return rankBy(() => undefined, workers, demand)
    }
  }

  #classOf(demand: TaskDemand): ClassOfWorkers {
    const classId = classIdOf(demand)
    const known = this.#classes.get(classId)
    const used = known ?? this.#newClass(demand)
    this.#classes.delete(classId)
    this.#classes.set(classId, used)
    const [oldest] = this.#classes.keys()
    if (this.#classes.size > MAX_CLASSES && oldest !== undefined) this.#classes.delete(oldest)
    return used
  }

  #newClass(demand: TaskDemand): ClassOfWorkers {
    const workers = new Map<string, WorkerRecord>()
    for (const worker of this.#roster.all()) {
      if (fits(worker, demand)) workers.set(worker.workerId, worker)
    }
    return { demand, workers, rankings: new Map() }
  }
}

/** Whether a worker stands where it stood, apart from its load. */
function ranksTheSame(before: WorkerRecord, now: WorkerRecord): boolean {
  return (
    before.registeredAt === now.registeredAt &&
    before.reputation === now.reputation &&
    before.maxConcurrentTasks === now.maxConcurrentTasks &&
    isDeepStrictEqual(before.hotSkills, now.hotSkills)
  )
}
