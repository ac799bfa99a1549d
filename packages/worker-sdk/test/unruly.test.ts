import { describe, expect, it, onTestFinished } from 'vitest'

import { Worker } from '../src/index.ts'
import { ManualClock } from './manual-clock.ts'
import { recordingLogger, stopNow } from './setup.ts'
import { FAULTS, UnrulyOrchestrator, type Fault } from './unruly-orchestrator.ts'

const TASKS = 40

/** Chance that can be repeated: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A worker and an orchestrator with bad manners. `fault` decides what goes wrong with each request. */
async function open(
  fault: () => Fault | undefined,
  random: () => number = () => 0.5,
  features: readonly string[] = [],
) {
  const clock = new ManualClock()
  const logger = recordingLogger()
  const orchestrator = new UnrulyOrchestrator(clock, TASKS, { fault, features })
  await orchestrator.up()
  const worker = new Worker({
    workerId: 'w1',
    token: 'secret-of-w1',
    orchestratorUrl: orchestrator.url,
    env: {},
    healthPort: false,
    maxConcurrentTasks: 4,
    websockets: features.length > 0,
    clock,
    random,
    logger,
  })
  const runs = new Map<string, number>()
  worker.task('echo', ({ taskId }) => {
    const run = (runs.get(taskId) ?? 0) + 1
    runs.set(taskId, run)
    return { run }
  })
  onTestFinished(async () => {
    await stopNow(worker, clock)
    await orchestrator.down()
    expect(clock.waits).toEqual([])
    expect(JSON.stringify(logger.lines)).not.toContain('secret-of-w1')
  })
  /** Lets time pass, with room for the network between, until something holds. */
  const passUntil = async (holds: () => boolean, everyStep?: () => Promise<void>) => {
    while (!holds()) {
      clock.advance(50)
      await everyStep?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { clock, orchestrator, worker, runs, logger, passUntil }
}

type Stage = Awaited<ReturnType<typeof open>>

/** Every task has exactly one result, however often its text came. */
function expectOneResultEach({ orchestrator }: Stage): void {
  const texts = [...orchestrator.ledger.values()]
  expect(texts).toHaveLength(TASKS)
  expect(texts.filter(({ size }) => size > 1)).toEqual([])
}

describe('a worker rides out an orchestrator that', () => {
  it('is down at the start', async () => {
    const stage = await open(() => undefined)
    await stage.orchestrator.down()
    const started = stage.worker.start()
    await stage.passUntil(() => stage.logger.lines.length > 5)
    await stage.orchestrator.up()
    await stage.passUntil(() => stage.orchestrator.isDone)
    await started
    expectOneResultEach(stage)
  })

  it('is restarted every 2 s', async () => {
    const stage = await open(() => undefined)
    const { orchestrator, clock } = stage
    void stage.worker.start().catch(() => undefined)
    let restartAt = clock.now() + 2000
    await stage.passUntil(
      () => orchestrator.isDone && orchestrator.restarts >= 5,
      async () => {
        if (clock.now() < restartAt) return
        await orchestrator.down()
        await orchestrator.up()
        restartAt = clock.now() + 2000
      },
    )
    expectOneResultEach(stage)
  })

  it.each(
    FAULTS.flatMap((fault) => [[fault, []] as const, [fault, ['batch_results', 'acks']] as const]),
  )('has the fault "%s" in two requests of three (agrees to %j)', async (fault, features) => {
    const random = seeded(7)
    const stage = await open(() => (random() < 2 / 3 ? fault : undefined), random, features)
    void stage.worker.start().catch(() => undefined)
    await stage.passUntil(() => stage.orchestrator.isDone)
    // The answers that the worker has not heard are asked for again while it stops.
    let isStopped = false
    void stage.worker.stop().then(() => {
      isStopped = true
    })
    await stage.passUntil(() => isStopped)
    expectOneResultEach(stage)
  })

  const everything = ['acks', 'batch_results', 'batch_events', 'cancel_in_poll', 'stream']

  it.each([
    [1, []],
    [2, []],
    [3, []],
    [4, everything],
    [5, everything],
    [6, everything],
    [7, everything],
  ])('has all faults at once and restarts (seed %i, agrees to %j)', async (seed, features) => {
    const random = seeded(seed)
    let isUnruly = true
    const fault = (): Fault | undefined =>
      isUnruly && random() < 0.5 ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined
    const stage = await open(fault, random, features)
    const { orchestrator } = stage
    void stage.worker.start().catch(() => undefined)
    await stage.passUntil(
      () => orchestrator.requests >= 300,
      async () => {
        if (random() >= 0.01) return
        await orchestrator.down()
        await orchestrator.up()
      },
    )
    isUnruly = false
    await stage.passUntil(() => orchestrator.isDone)
    expectOneResultEach(stage)
  })
})
