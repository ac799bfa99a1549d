/**
 * A fleet at work on one Redis, while orchestrators and workers are killed, drained, evicted, and become
 * able to do other things: each task ends once, at a worker that could do it at that time.
 */
import { expect, it } from 'vitest'
import { SeededRandom } from '../../core/src/testing/seeded-random.ts'
import { builtPrograms } from './support/build-programs.ts'
import { planTasks, planWorker, type WorkerPlan } from './support/fleet-plan.ts'
import { FleetRun } from './support/fleet-run.ts'
import { spreadTable } from './support/fleet-spread.ts'

/** Twenty-five in each of eight processes; nothing happens to those in the first five. */
const WORKERS = 200
const GANGS = 8
const GANG = WORKERS / GANGS
const CALM = 5 * GANG
const TASKS = 2_500
const SEED = Number(process.env['FLEET_SEED'] ?? 11)
/** A worker is given up after two missed heartbeats of this length. */
const HEALTH_MS = 3_000
/** An orchestrator may be a second behind; a busy one is later. */
const HEARD_MS = 5_000

const programs = builtPrograms()

it(
  'all tasks end once on fitting workers, whatever happens to those',
  { timeout: 600_000 },
  async () => {
    const random = new SeededRandom(SEED)
    const plan = (i: number, revision = 0): WorkerPlan =>
      planWorker(random, { workerId: `w-${i}`, revision })
    const workers = Array.from({ length: WORKERS }, (_, i) => plan(i))
    const tasks = planTasks(random, { count: TASKS, ables: workers.slice(0, CALM) })
    const run = await FleetRun.open({
      ...{ programs: programs(), keeps: 'redis', orchestrators: 3, workers, processes: GANGS },
      heartbeatIntervalMs: 1_500,
      config: { workerHealthIntervalMs: HEALTH_MS, maxRetries: 1_000 },
    })
    const begunAt = performance.now()
    const creating = run.create(tasks)
    // Told by whoever waits for it, at the end.
    creating.catch(() => undefined)
    const drained = await trouble(run, plan)
    await creating
    await run.untilEnded(TASKS)
    const seconds = (performance.now() - begunAt) / 1_000
    await run.stage.ledger.complete()

    const outcomes = run.outcomes()
    const began = run.crew.rows.filter(({ event }) => event === 'began').length
    process.stdout.write(
      `fleet in trouble: ${seconds.toFixed(1)} s, ${began} runs, FLEET_SEED=${SEED}\n${spreadTable(outcomes, workers)}\n`,
    )
    expect(run.faults().slice(0, 20)).toEqual([])
    expect(await run.pending()).toEqual({ tasks: [] })
    expect(outcomes).toHaveLength(TASKS)
    const late = run.crew.rows.filter(
      ({ event, workerId, at }) => event === 'began' && at > (drained.get(workerId) ?? Infinity),
    )
    expect(late).toEqual([])
  },
)

/**
 * One thing after the other, each when some tasks more have ended.
 * @returns from when on which workers must not get anything.
 */
async function trouble(
  run: FleetRun,
  plan: (i: number, revision: number) => WorkerPlan,
): Promise<ReadonlyMap<string, number>> {
  const drained = new Map<string, number>()
  await run.untilEnded(TASKS * 0.06)
  for (const i of range(CALM, GANG).filter(isAtFirst)) {
    await run.order(`w-${i}`, 'drain')
    drained.set(`w-${i}`, Date.now() + HEARD_MS)
  }
  await run.untilEnded(TASKS * 0.12)
  await run.restartOrchestrator(1)
  await run.untilEnded(TASKS * 0.24)
  for (const i of range(CALM, GANG)) if (!isAtFirst(i)) await run.order(`w-${i}`, 'evict')
  await run.untilEnded(TASKS * 0.36)
  await run.crew.restart(GANGS - 2)
  await run.untilEnded(TASKS * 0.48)
  await Promise.all(
    range(CALM + 2 * GANG, GANG).map((i) => run.change({ ...plan(i, 1), slips: 0 }, i + 1)),
  )
  await run.untilEnded(TASKS * 0.6)
  await run.restartOrchestrator(2)
  await run.crew.restart(GANGS - 1)
  return drained
}

/**
 * Whether its only orchestrator is the first, which stays: a worker that was out of reach for long comes
 * back as somebody new, who was not drained.
 */
function isAtFirst(i: number): boolean {
  return i % 3 === 0 && i % 10 !== 0
}

function range(from: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => from + i)
}
