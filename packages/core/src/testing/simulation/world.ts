/**
 * A whole system in one process under a simulated clock: orchestrators that are killed, workers that
 * vanish, messages that get lost or come twice, clocks that disagree. One seed, one course of events.
 */
import { UnavailableError, type JsonObject } from '@avtomatika/protocol'
import { Engine } from '../../engine/engine.ts'
import { BlueprintRegistry } from '../../blueprint/registry.ts'
import { DEFAULT_SETTINGS } from '../../engine/settings.ts'
import { MemoryHistory, MemoryStorage } from '../../memory/index.ts'
import type { Clock } from '../../ports/clock.ts'
import { silentLog } from '../../ports/log.ts'
import type { Storage } from '../../ports/storage.ts'
import { SeededRandom } from '../seeded-random.ts'
import { SimulatedClock } from '../simulated-clock.ts'
import { FaultyConnection } from './faulty-storage.ts'
import { Journal } from './journal.ts'
import { People } from './people.ts'
import { planOf, type Plan } from './plan.ts'
import { SHAPES, simulatedBlueprints } from './simulated-blueprints.ts'
import { SimulatedWorker } from './simulated-worker.ts'

/** After the faults everybody is well; by then every job must have come to its end. */
const HEALED_MS = 600_000
/** An orchestrator that was killed is back after this long, in ms. */
const RESTART_MS = 1_500
/** Between reading a job and running its handler, no more than this passes, in ms. */
const STALE_READ_MS = 2_000

export interface ScheduleReport {
  readonly seed: number
  readonly plan: Plan
  readonly accepted: number
  /** Children included. */
  readonly jobs: number
  readonly commits: number
  readonly kills: number
  /** Empty when every promise was kept. */
  readonly violations: readonly string[]
}

export interface ScheduleOptions {
  /** Wraps the storage that all orchestrators share, to plant a fault on purpose. */
  readonly sabotage?: (storage: Storage) => Storage
}

/** Plays one schedule to its end. Never throws for a broken promise: the report has them. */
export async function runSchedule(
  seed: number,
  options: ScheduleOptions = {},
): Promise<ScheduleReport> {
  const world = new World(seed, options)
  await world.play()
  return world.report()
}

class World {
  readonly #seed: number
  readonly #random: SeededRandom
  readonly #plan: Plan
  readonly #clock = new SimulatedClock()
  readonly #journal = new Journal()
  readonly #storage: Storage
  readonly #engines: { engine: Engine; connection: FaultyConnection }[] = []
  readonly #accepted = new Set<string>()
  #jobIds = 0
  #kills = 0
  #faulty = true

  constructor(seed: number, { sabotage = (storage) => storage }: ScheduleOptions) {
    this.#seed = seed
    this.#random = new SeededRandom(seed)
    this.#plan = planOf(this.#random)
    this.#storage = sabotage(new MemoryStorage())
  }

  async play(): Promise<void> {
    const { orchestrators, workers, jobs, faultyMs } = this.#plan
    for (let i = 0; i < orchestrators; i += 1) this.#startOrchestrator()
    for (let i = 0; i < workers; i += 1) this.#startWorker(`worker-${String(i)}`)
    for (let i = 0; i < jobs; i += 1) this.#planClient(i)
    this.#people().start()
    await this.#clock.advance(faultyMs)
    this.#faulty = false
    await this.#untilAllEnded()
    this.#journal.close()
  }

  report(): ScheduleReport {
    return {
      seed: this.#seed,
      plan: this.#plan,
      accepted: this.#accepted.size,
      jobs: this.#journal.jobCount,
      commits: this.#journal.commits,
      kills: this.#kills,
      violations: this.#journal.violations,
    }
  }

  async #untilAllEnded(): Promise<void> {
    const until = this.#clock.now() + HEALED_MS
    while (this.#journal.liveJobs().length > 0) {
      if (await this.#clock.step(until)) continue
      for (const jobId of this.#journal.liveJobs()) {
        this.#journal.violate(jobId, 'never came to its end')
      }
      break
    }
    for (const jobId of this.#accepted) {
      const job = await this.#storage.findJob(jobId)
      if (job === undefined) this.#journal.violate(jobId, 'was accepted and is not there')
    }
  }

  #startOrchestrator(): void {
    const index = this.#engines.length
    const connection = new FaultyConnection({
      storage: this.#storage,
      clock: this.#clock,
      random: this.#random,
      plan: this.#plan,
      journal: this.#journal,
      isFaulty: () => this.#faulty,
      onKill: () => {
        this.#kills += 1
        this.#clock.after(RESTART_MS, () => {
          this.#startOrchestrator()
        })
      },
    })
    const blueprints = new BlueprintRegistry()
    for (const blueprint of this.#blueprints()) blueprints.add(blueprint.define())
    const engine = new Engine({
      storage: connection.open(),
      history: new MemoryHistory(),
      blueprints,
      settings: { ...DEFAULT_SETTINGS, workerHealthIntervalMs: 1_500, taskTimeoutMs: 5_000 },
      clock: this.#skewedClock(),
      ids: { jobId: () => this.#jobId(), chance: () => this.#random.next() },
      log: silentLog,
      notifier: () => ({
        notify: () => Promise.resolve(),
        listDeadLetters: () => Promise.resolve([]),
        resend: () => Promise.resolve(false),
        stop: () => Promise.resolve(),
      }),
      instanceId: `orchestrator-${String(index)}`,
      checkInvariants: true,
    })
    this.#engines.push({ engine, connection })
    engine.start()
  }

  #jobId(): string {
    this.#jobIds += 1
    return `job-${String(this.#jobIds)}`
  }

  /** Off by a fixed amount, and moved once more somewhere along the way. */
  #skewedClock(): Clock {
    const { maxSkewMs } = this.#plan
    let skew = this.#random.between(-maxSkewMs, maxSkewMs)
    this.#clock.after(this.#random.between(1, 8_000), () => {
      skew = this.#random.between(-maxSkewMs, maxSkewMs)
    })
    return {
      now: () => this.#clock.now() + skew,
      after: (ms, callback) => this.#clock.after(ms, callback),
    }
  }

  #blueprints(): ReturnType<typeof simulatedBlueprints> {
    const onHandler = (jobId: string): void => {
      this.#handlerBegins(jobId)
    }
    return simulatedBlueprints({ random: this.#random, onHandler })
  }

  #people(): People {
    return new People({
      clock: this.#clock,
      random: this.#random,
      plan: this.#plan,
      journal: this.#journal,
      storage: this.#storage,
      orchestrator: () => this.#anyEngine(),
    })
  }

  #handlerBegins(jobId: string): void {
    this.#journal.handlerBegins(jobId, this.#clock.now(), STALE_READ_MS + 2 * this.#plan.maxSkewMs)
  }

  #startWorker(workerId: string): void {
    new SimulatedWorker({
      workerId,
      clock: this.#clock,
      random: this.#random,
      plan: this.#plan,
      journal: this.#journal,
      isFaulty: () => this.#faulty,
      orchestrator: () => this.#anyEngine(),
    }).start()
  }

  #anyEngine(): Engine | undefined {
    const alive = this.#engines.filter(({ connection }) => connection.isAlive)
    return alive[this.#random.between(0, alive.length - 1)]?.engine
  }

  #planClient(number: number): void {
    const random = this.#random
    const shape = random.pick(SHAPES)
    const isHurried = random.chance(this.#plan.hurryRate)
    const order: Order = {
      idempotencyKey: `request-${String(number)}`,
      shape,
      jobTimeoutMs: isHurried ? random.between(500, 20_000) : undefined,
    }
    this.#clock.after(random.between(0, this.#plan.faultyMs / 2), () => {
      void this.#createJob(order)
    })
  }

  /** Tries until it is told that the job was accepted, as an SDK does: one key, one job. */
  async #createJob(order: Order): Promise<void> {
    const again = this.#clock.after(3_000, () => void this.#createJob(order))
    const { idempotencyKey, shape, jobTimeoutMs } = order
    const blueprint = this.#blueprints().find(({ name }) => name === shape)
    const owner = { clientId: 'client', plan: null, params: {} }
    const [other] = this.#accepted
    // Fixed at the first try: the same key with other data would be another request.
    order.initialData ??= shape === 'eager' && other !== undefined ? { other } : {}
    try {
      const engine = this.#anyEngine()
      if (engine === undefined || blueprint === undefined) return
      const { initialData } = order
      const request = { blueprint: blueprint.define(), initialData, owner, idempotencyKey }
      const { jobId } = await engine.createJob({ ...request, jobTimeoutMs })
      again()
      this.#accepted.add(jobId)
    } catch (error) {
      // Not accepted: the timer above tries again.
      if (!UnavailableError.is(error)) throw error
    }
  }
}

/** What a client asks for, however often it has to. */
interface Order {
  readonly idempotencyKey: string
  readonly shape: (typeof SHAPES)[number]
  readonly jobTimeoutMs: number | undefined
  initialData?: JsonObject
}
