/** How tasks were spread over those who could do them. */
import { whyNot } from './fleet-fit.ts'
import { STRATEGIES, TOO_MANY_SLIPS, type TaskPlan, type WorkerPlan } from './fleet-plan.ts'
import type { Outcome } from './fleet-run.ts'

/** A table, a line per strategy. */
export function spreadTable(outcomes: readonly Outcome[], workers: readonly WorkerPlan[]): string {
  const head = ['strategy', 'tasks', 'workers', 'most', 'busiest tenth', 'price paid / least']
  const lines = STRATEGIES.map((strategy) => {
    const some = outcomes.filter(({ task }) => task.strategy === strategy)
    const counts = [...countsOf(some).values()].sort((a, b) => b - a)
    const top = sum(counts.slice(0, Math.ceil(workers.length / 10)))
    return [
      strategy,
      `${some.length}`,
      `${counts.length} of ${workers.length}`,
      `${counts[0] ?? 0}`,
      `${Math.round((100 * top) / Math.max(1, some.length))} %`,
      priceRatio(some, workers).toFixed(2),
    ]
  })
  return [head, ...lines].map((line) => line.map((cell) => cell.padEnd(18)).join('')).join('\n')
}

/** Where a price was named by somebody who could do it. */
function priceRatio(outcomes: readonly Outcome[], workers: readonly WorkerPlan[]): number {
  let [paid, least] = [0, 0]
  for (const { task, worker } of outcomes) {
    const price = priceOf(worker, task)
    const cheapest = Math.min(...ablesFor(task, workers).map((able) => priceOf(able, task)))
    if (price === Infinity || cheapest === Infinity) continue
    paid += price
    least += cheapest
  }
  return paid / least
}

function priceOf({ skills }: WorkerPlan, task: TaskPlan): number {
  return skills.find(({ name }) => name === task.skill)?.cost ?? Infinity
}

function ablesFor(task: TaskPlan, workers: readonly WorkerPlan[]): readonly WorkerPlan[] {
  return workers.filter(
    (worker) => worker.slips < TOO_MANY_SLIPS && whyNot(worker, task) === undefined,
  )
}

function countsOf(outcomes: readonly Outcome[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { worker } of outcomes) {
    counts.set(worker.workerId, (counts.get(worker.workerId) ?? 0) + 1)
  }
  return counts
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}
