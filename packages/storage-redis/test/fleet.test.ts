/**
 * 200 workers of mixed abilities and 5 000 tasks with demands, in real processes: each task ends once,
 * at a worker that can do it, and nothing is left over.
 *
 * Who can do what is judged by trying everything (`support/fleet-fit.ts`), from the plans that workers
 * and jobs were made from, and from what the workers themselves recorded.
 */
import { expect, it } from 'vitest'
import { SeededRandom } from '../../core/src/testing/seeded-random.ts'
import { builtPrograms } from './support/build-programs.ts'
import { planTasks, planWorker, SKILLS, TOO_MANY_SLIPS } from './support/fleet-plan.ts'
import type { TaskPlan, WorkerPlan } from './support/fleet-plan.ts'
import { FleetRun } from './support/fleet-run.ts'
import { spreadTable } from './support/fleet-spread.ts'

const WORKERS = 200
const TASKS = 5_000
const SEED = Number(process.env['FLEET_SEED'] ?? 7)
/** Everybody's turn comes once in a round; a busy machine may miss some, and gets more. */
const ROUNDS = 5

const programs = builtPrograms()

it.each([
  { keeps: 'memory', orchestrators: 1 },
  { keeps: 'redis', orchestrators: 3 },
] as const)(
  'all tasks end on fitting workers, with jobs in $keeps and orchestrators: $orchestrators',
  { timeout: 600_000 },
  async ({ keeps, orchestrators }) => {
    const random = new SeededRandom(SEED)
    const workers = Array.from({ length: WORKERS }, (_, i) =>
      planWorker(random, { workerId: `w-${i}` }),
    )
    const tasks = planTasks(random, { count: TASKS, ables: workers })
    const run = await FleetRun.open({
      ...{ programs: programs(), keeps, orchestrators, workers },
      processes: 4,
      heartbeatIntervalMs: 5_000,
    })
    const begunAt = performance.now()
    await run.create(tasks)
    await run.untilEnded(TASKS)
    const seconds = (performance.now() - begunAt) / 1_000
    const outcomes = run.outcomes()
    const began = run.crew.rows.filter(({ event }) => event === 'began').length
    report(
      `${keeps}, ${orchestrators} orchestrators, ${seconds.toFixed(1)} s, ${began} runs`,
      spreadTable(outcomes, workers),
    )
    expect(outcomes).toHaveLength(TASKS)

    const leftOut = await Promise.all(
      SKILLS.map((skill, i) => inTurn(run, { skill, workers, n: (i + 1) * 100_000 })),
    )
    await run.stage.ledger.complete()
    expect(run.faults().slice(0, 20)).toEqual([])
    expect(await run.pending()).toEqual({ tasks: [] })
    expect(leftOut.flat()).toEqual([])
  },
)

interface Turns {
  readonly skill: string
  readonly workers: readonly WorkerPlan[]
  /** The number of the first task. */
  readonly n: number
}

/** Gives tasks that all with a skill can do to one after the other; answers who never had one. */
async function inTurn(run: FleetRun, { skill, workers, n }: Turns): Promise<readonly string[]> {
  const ables = workers.filter(
    ({ skills, slips }) => slips < TOO_MANY_SLIPS && skills.some(({ name }) => name === skill),
  )
  const waiting = new Set(ables.map(({ workerId }) => workerId))
  const plan = { skill, strategy: 'round_robin', priority: 0, ms: 0, width: 100 }
  for (let i = 0; i < ROUNDS * ables.length && waiting.size > 0; i += 1) {
    const task: TaskPlan = { n: n + i, ...plan }
    waiting.delete(await run.doOne(task))
  }
  return [...waiting].map((workerId) => `${workerId} never had its turn of ${skill}`)
}

function report(...lines: readonly string[]): void {
  process.stdout.write(`fleet: ${lines.join('\n')}\nFLEET_SEED=${SEED}\n`)
}
