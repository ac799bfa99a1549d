/**
 * Who of several workers should have a task (W5). Pure.
 *
 * A strategy puts the workers that could take a task in order; the store gives it to the first of
 * them that has room at that very moment, or to whoever holds least, or to each in turn.
 */
import type { JsonObject } from '@avtomatika/protocol'
import type { TaskDemand } from '../../job/task.ts'
import type { Reservation } from '../../ports/task-store.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import { listOf, machineOf } from '../workers/machine.ts'
import { wantedArtifact } from './matching.ts'

/** A worker that could take a task, as a host's own strategy sees it. */
export interface StrategyWorker {
  readonly workerId: string
  readonly workerType: string
  /** What the task costs there; `Infinity` for a worker that does not say. */
  readonly cost: number
  /** From 0 to 1. */
  readonly reputation: number
  /** Whether the skill's model is loaded. */
  readonly isWarm: boolean
  /** As it said last. */
  readonly load: number
  readonly maxConcurrentTasks: number
  /** What the worker said of itself. */
  readonly registration: JsonObject
}

/** Whom a strategy prefers. */
export interface StrategyChoice {
  /** Ids of the workers, best first; others may be given the task when none of these has room. */
  readonly order: readonly string[]
  /**
   * `best`: the first with room. `least_held`: who has least. `turn`: one after the other. Default
   * `best`.
   */
  readonly choose?: 'best' | 'least_held' | 'turn'
  /** Most tasks that a worker is to have, whatever it could take. Default: what it could take. */
  readonly softLimit?: number
}

/**
 * Whom of these workers a task should go to; `undefined` when it does not matter. Pure and quick: what it
 * answers is used for all tasks with the same demand until a worker changes, or for a second.
 */
export type Strategy = (
  workers: readonly StrategyWorker[],
  demand: TaskDemand,
) => StrategyChoice | undefined

/** A host's own strategies, by the name that dispatches use. */
export type Strategies = ReadonlyMap<string, Strategy>

/** Whom to ask, and how to choose. */
type Choice = Pick<Reservation, 'choose' | 'candidates'>

/** All who could take a task, in a strategy's order; holds for as long as nobody changes. */
export interface Ranking {
  readonly choose: Choice['choose']
  readonly workers: readonly WorkerRecord[]
  /** Most tasks that a worker is to have, whatever it could take. */
  readonly softLimit: number
  /** Says of the first and the last whether it does not matter who takes the task. Default: it does. */
  readonly isAlike?: (first: WorkerRecord, last: WorkerRecord) => boolean
}

/** More names than this are too many for the store to look at. */
const MAX_CANDIDATES = 32
const HOW = ['best', 'least_held', 'turn'] as const
/** `overflow` goes on to the next dearer worker when one has this many tasks. */
const SOFT_LIMIT = 3

/** Puts workers in order. Names that are not known count as `default`, as older blueprints expect. */
export function rank(
  strategy: string,
  workers: readonly WorkerRecord[],
  demand: TaskDemand,
): Ranking {
  const { type } = demand
  switch (strategy) {
    case 'round_robin':
      // By name: the order must be the same each time, and for every orchestrator.
      return ranking('turn', ranked(workers))
    case 'least_connections':
      return ranking(
        'least_held',
        ranked(workers, ({ load }) => load),
      )
    case 'cheapest':
      return ranking('best', ranked(workers, costOf(type)))
    case 'best_value':
      return ranking('best', ranked(workers, valueOf(type)))
    case 'overflow':
      return { ...ranking('best', ranked(workers, costOf(type))), softLimit: SOFT_LIMIT }
    default:
      return preferred(workers, demand)
  }
}

/**
 * The first of those who are able; `undefined` when there is nobody, or it does not matter who.
 * @param turn - how many tasks were offered so far: where turns are taken among more workers than can be
 *   named, all of them come up in time.
 */
export function choose(
  { choose, workers, softLimit, isAlike }: Ranking,
  {
    isAble,
    turn = 0,
  }: { readonly isAble: (worker: WorkerRecord) => boolean; readonly turn?: number },
): Choice | undefined {
  if (isAlike !== undefined) {
    const [first, last] = [workers.find(isAble), workers.findLast(isAble)]
    if (first === undefined || last === undefined || isAlike(first, last)) return undefined
  }
  const isInTurns = choose === 'turn' && workers.length > MAX_CANDIDATES
  const start = isInTurns ? turn - (turn % MAX_CANDIDATES) : 0
  const candidates: Choice['candidates'][number][] = []
  for (let n = 0; n < workers.length && candidates.length < MAX_CANDIDATES; n += 1) {
    const worker = workers[(start + n) % workers.length]
    if (worker === undefined || !isAble(worker)) continue
    const { workerId, maxConcurrentTasks } = worker
    candidates.push({ workerId, capacity: Math.min(maxConcurrentTasks, softLimit) })
  }
  return candidates.length === 0 ? undefined : { choose, candidates }
}

/** Puts workers in order by a host's own strategy. Only those that were given count, each once. */
export function rankBy(
  strategy: Strategy,
  workers: readonly WorkerRecord[],
  demand: TaskDemand,
): Ranking {
  const byId = new Map(workers.map((worker) => [worker.workerId, worker]))
  const cost = costOf(demand.type)
  const choice = strategy(
    workers.map((worker) => ({
      workerId: worker.workerId,
      workerType: worker.workerType,
      cost: cost(worker),
      reputation: worker.reputation,
      isWarm: worker.hotSkills.includes(demand.type),
      load: worker.load,
      maxConcurrentTasks: worker.maxConcurrentTasks,
      registration: worker.registration,
    })),
    demand,
  )
  const order = [...new Set(choice?.order ?? [])].map((id) => byId.get(id))
  const chosen = order.filter((worker) => worker !== undefined)
  const how = HOW.find((one) => one === choice?.choose) ?? 'best'
  return { ...ranking(how, chosen), softLimit: limitOf(choice?.softLimit) }
}

/** A host may answer anything. */
function limitOf(softLimit: number | undefined): number {
  return Number.isInteger(softLimit) && Number(softLimit) >= 1 ? Number(softLimit) : Infinity
}

/** Loaded models first, then the least cost, then the best reputation; nobody if all are alike. */
function preferred(workers: readonly WorkerRecord[], demand: TaskDemand): Ranking {
  const measures = [
    coldness(demand),
    costOf(demand.type),
    ({ reputation }: WorkerRecord): number => -reputation,
  ]
  return {
    ...ranking('best', ranked(workers, ...measures)),
    // They stand in order: if the first and the last are alike, so are all between them.
    isAlike: (first, last) => measures.every((measure) => measure(first) === measure(last)),
  }
}

/** 0 where the skill is loaded, 1 where a model is that the task asks for, else 2. */
function coldness({ type, resources }: TaskDemand): (worker: WorkerRecord) => number {
  const wanted = ['installed_models', 'installed_artifacts'].flatMap((key) =>
    listOf(resources?.[key]),
  )
  const models = wanted.flatMap((one) => wantedArtifact(one)?.name ?? [])
  return ({ hotSkills }) => {
    if (hotSkills.includes(type)) return 0
    return models.some((model) => hotSkills.includes(model)) ? 1 : 2
  }
}

function ranking(choose: Choice['choose'], workers: readonly WorkerRecord[]): Ranking {
  return { choose, workers, softLimit: Infinity }
}

/** Smallest first by each measure in turn, then by name. */
function ranked(
  workers: readonly WorkerRecord[],
  ...measures: readonly ((worker: WorkerRecord) => number)[]
): readonly WorkerRecord[] {
  const measured = workers.map((worker) => ({
    worker,
    numbers: measures.map((measure) => measure(worker)),
  }))
  measured.sort((a, b) => {
    for (const [n, x] of a.numbers.entries()) {
      const y = b.numbers[n] ?? x
      // Two infinite costs are alike; their difference is not a number.
      if (x !== y) return x - y
    }
    return a.worker.workerId < b.worker.workerId ? -1 : 1
  })
  return measured.map(({ worker }) => worker)
}

/** Infinite for a worker that names no price. */
function costOf(type: string): (worker: WorkerRecord) => number {
  return (worker) => machineOf(worker).costOf(type)
}

/** What a task costs, given that only so many of them come out well. */
function valueOf(type: string): (worker: WorkerRecord) => number {
  const cost = costOf(type)
  return (worker) => (worker.reputation <= 0 ? Infinity : cost(worker) / worker.reputation)
}
