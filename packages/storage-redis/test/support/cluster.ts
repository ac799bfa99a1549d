/** Orchestrators and workers as processes, which are killed at random and come back. */
import { randomUUID } from 'node:crypto'
import { setInterval as ticks } from 'node:timers/promises'
import type { SeededRandom } from '../../../core/src/testing/seeded-random.ts'
import type { Programs } from './build-programs.ts'
import { freePort } from './free-port.ts'
import type { OrchestratorSettings } from './orchestrator-program.ts'
import { TestProcess, type Said } from './test-process.ts'
import type { WorkerSettings } from './worker-program.ts'

/** So many may be away at a time: where the machine is slow, kills wait for those who come back. */
const MOST_AWAY = 2

export interface ClusterOptions {
  readonly programs: Programs
  readonly orchestrators: number
  readonly workers: number
  readonly settings: OrchestratorSettings
  /** How long a task takes, in ms. */
  readonly workMs: number
  readonly random: SeededRandom
  readonly onSaid: (said: Said) => void
}

/** One who dies and comes back as the same. */
interface Seat {
  readonly role: 'orchestrator' | 'worker'
  readonly launch: () => TestProcess
  process: TestProcess
  isUp: boolean
}

type OrchestratorSeat = Seat & { readonly url: string }

export class Cluster {
  readonly kills = { orchestrator: 0, worker: 0 }
  readonly #random: SeededRandom
  readonly #orchestrators: readonly OrchestratorSeat[]
  readonly #workers: readonly Seat[]
  readonly #stopping = new AbortController()
  readonly #returns = new Set<Promise<void>>()

  private constructor(options: ClusterOptions, orchestrators: readonly OrchestratorSeat[]) {
    const { programs, workers, workMs, random, onSaid } = options
    const { worker: program, compileCache } = programs
    this.#random = random
    this.#orchestrators = orchestrators
    this.#workers = Array.from({ length: workers }, (_, i) =>
      seat('worker', () => {
        // Back at another orchestrator, perhaps: one worker, known to all.
        const { url: orchestratorUrl } = this.#oneOf(this.#orchestrators)
        // Every other one keeps its name; the rest come back as somebody new, as containers do.
        const workerId = i % 2 === 0 ? `worker-${i}` : `worker-${randomUUID()}`
        const settings: WorkerSettings = { workerId, orchestratorUrl, workMs }
        return new TestProcess({ program, compileCache, settings, onSaid })
      }),
    )
  }

  /** Resolves when all are at work. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const { orchestrator: program, compileCache } = options.programs
    const orchestrators: OrchestratorSeat[] = []
    for (let i = 0; i < options.orchestrators; i += 1) {
      const port = await freePort()
      const settings = { ...options.settings, port }
      const launch = (): TestProcess => new TestProcess({ program, compileCache, settings })
      orchestrators.push({ ...seat('orchestrator', launch), url: `http://127.0.0.1:${port}` })
    }
    const cluster = new Cluster(options, orchestrators)
    await Promise.all(cluster.#all.map((each) => settle(each)))
    return cluster
  }

  /** The address of an orchestrator that is up. */
  async url(): Promise<string> {
    const up = this.#orchestrators.filter(({ isUp }) => isUp)
    if (up.length > 0) return this.#oneOf(up).url
    const next = this.#oneOf(this.#orchestrators)
    await next.process.started.catch(() => undefined)
    return next.url
  }

  /**
   * Kills one of those that are up, and starts it again, at each tick until the abort; unless two are
   * away, so that a busy machine has something to run.
   * @throws when a process ended that nobody had killed.
   */
  async killAtRandom(everyMs: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#stopping.signal])
    for await (const _ of untilAborted(everyMs, either)) {
      this.assertNoneFell()
      const up = this.#all.filter(({ isUp }) => isUp)
      if (this.#all.length - up.length >= MOST_AWAY) continue
      const victim = this.#oneOf(up)
      this.kills[victim.role] += 1
      const comesBack = this.#replace(victim).finally(() => this.#returns.delete(comesBack))
      this.#returns.add(comesBack)
    }
    await Promise.all(this.#returns)
  }

  /** @throws when a process ended that nobody had killed. */
  assertNoneFell(): void {
    for (const { role, process } of this.#all) {
      if (process.failure !== undefined) throw new Error(`A ${role} ${process.failure}`)
    }
  }

  /** Kills all of them, for good. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.allSettled(this.#returns)
    await Promise.all(this.#all.map(({ process }) => process.kill()))
  }

  get #all(): readonly Seat[] {
    return [...this.#orchestrators, ...this.#workers]
  }

  async #replace(victim: Seat): Promise<void> {
    victim.isUp = false
    await victim.process.kill()
    if (this.#stopping.signal.aborted) return
    victim.process = victim.launch()
    await settle(victim)
  }

  #oneOf<T>(items: readonly T[]): T {
    const item = items[this.#random.between(0, items.length - 1)]
    if (item === undefined) throw new Error('There is nothing to choose from.')
    return item
  }
}

function seat(role: Seat['role'], launch: () => TestProcess): Seat {
  return { role, launch, process: launch(), isUp: false }
}

async function settle(seat: Seat): Promise<void> {
  await seat.process.started
  seat.isUp = true
}

async function* untilAborted(everyMs: number, signal: AbortSignal): AsyncGenerator {
  try {
    yield* ticks(everyMs, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
