/**
 * Who of several workers should have a task (W5). Pure.
 *
 * A strategy puts the workers that could take a task in order; the store gives it to the first of
 * them that has room at that very moment, or to whoever holds least, or to each in turn.
 */
import type { TaskDemand } from '../job/task.ts'
import type { Reservation } from '../ports/task-store.ts'
import type { WorkerRecord } from '../ports/worker-record.ts'
import { machineOf } from './machine.ts'

/** Whom to ask, and how to choose. */
export type Choice = Pick<Reservation, 'choose' | 'candidates'>

/** More names than this are of no use: the best of them has room, or nobody has. */
const MAX_CANDIDATES = 32
/** `overflow` goes on to the next dearer worker when one has this many tasks. */
const SOFT_LIMIT = 3

/**
 * Applies a strategy; `undefined` when it does not matter who takes the task. Names that are not
 * known count as `default`, as older blueprints expect.
 */
export function chooseAmong(
  strategy: string,
  workers: readonly WorkerRecord[],
  { type }: TaskDemand,
): Choice | undefined {
  switch (strategy) {
    case 'round_robin':
      // By name: the order must be the same each time, and for every orchestrator.
      return choice(
        'turn',
        ranked(workers, () => 0),
      )
    case 'least_connections':
      return choice(
        'least_held',
        ranked(workers, ({ load }) => load),
      )
    case 'cheapest':
      return choice('best', ranked(workers, costOf(type)))
    case 'best_value':
      return choice('best', ranked(workers, valueOf(type)))
    case 'overflow':
      return choice('best', ranked(workers, costOf(type)), SOFT_LIMIT)
    default:
      return preferred(workers, type)
  }
}

/** Loaded models first, then the least cost, then the best reputation; nobody if all are alike. */
function preferred(workers: readonly WorkerRecord[], type: string): Choice | undefined {
  const warm = workers.filter(({ hotSkills }) => hotSkills.includes(type))
  const cost = costOf(type)
  const keyOf = (worker: WorkerRecord): string =>
    `${String(worker.hotSkills.includes(type))} ${String(cost(worker))} ${String(worker.reputation)}`
  const [first, ...others] = workers
  if (first === undefined) return undefined
  const key = keyOf(first)
  if (others.every((worker) => keyOf(worker) === key)) return undefined
  const byMerit = (some: readonly WorkerRecord[]): readonly WorkerRecord[] =>
    ranked(some, cost, ({ reputation }) => -reputation)
  const cold = workers.filter((worker) => !warm.includes(worker))
  return choice('best', [...byMerit(warm), ...byMerit(cold)])
}

function choice(
  choose: Choice['choose'],
  workers: readonly WorkerRecord[],
  softLimit = Infinity,
): Choice {
  const candidates = workers.slice(0, MAX_CANDIDATES).map(({ workerId, maxConcurrentTasks }) => ({
    workerId,
    capacity: Math.min(maxConcurrentTasks, softLimit),
  }))
  return { choose, candidates }
}

/** Smallest first by each measure in turn, then by name. */
function ranked(
  workers: readonly WorkerRecord[],
  ...measures: readonly ((worker: WorkerRecord) => number)[]
): readonly WorkerRecord[] {
  return workers.toSorted((a, b) => {
    for (const measure of measures) {
      const [x, y] = [measure(a), measure(b)]
      // Two infinite costs are alike; their difference is not a number.
      if (x !== y) return x - y
    }
    return a.workerId < b.workerId ? -1 : 1
  })
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
