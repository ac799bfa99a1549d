/** What a test of blueprints runs on, and how everything that can happen is let happen. */
import type { AssertionError } from 'node:assert'
import type { Engine } from '../../engine/engine.ts'
import type { Job } from '../../job/job.ts'
import { jobDeadline } from '../../job/wait-effects.ts'
import { earliest } from '../../job/task-deadline.ts'
import { deadlineOf, tasksOf, type Wait } from '../../job/wait.ts'
import type { History } from '../../ports/history.ts'
import type { Storage } from '../../ports/storage.ts'
import type { SimulatedClock } from '../simulated-clock.ts'
import type { StorageCalls } from '../storage-calls.ts'
import { failure } from './failure.ts'
import type { ScriptedWorker } from './scripted-worker.ts'

/** Taken now: a test may fake the global ones, and real handlers take real time. */
const later = setTimeout
const realNow = performance.now.bind(performance)

/** What a bench is made of. */
export interface BenchParts {
  readonly engine: Engine
  readonly storage: Storage
  /** Those of the storage. */
  readonly calls: StorageCalls
  readonly history: History
  readonly clock: SimulatedClock
  readonly worker: ScriptedWorker
  /** How long a handler may be busy with something real, such as a data store, in ms. */
  readonly patienceMs: number
}

/** A job that is followed, and told when something may have happened to it. */
export interface Watched {
  readonly id: string
  refresh(): Promise<void>
}

/** Event-loop turns without a change after which nothing more happens by itself. */
const QUIET_TURNS = 2

export class Bench {
  readonly parts: BenchParts
  readonly #watched = new Map<string, Watched>()
  #changes = 0
  readonly #stopHints: () => void

  constructor(parts: BenchParts) {
    this.parts = parts
    this.#stopHints = parts.storage.onHint(() => {
      this.#changes += 1
    })
  }

  watch(job: Watched): void {
    this.#watched.set(job.id, job)
  }

  /** Lets everything happen, to all jobs, that needs neither time nor a person. */
  async settle(): Promise<void> {
    let giveUpAt = realNow() + this.parts.patienceMs
    let changes = this.#changes
    for (let quiet = 0; quiet < QUIET_TURNS; quiet += 1) {
      await this.parts.calls.settled()
      const hasWorked = await this.parts.worker.work()
      if (hasWorked || this.#changes > changes) {
        changes = this.#changes
        giveUpAt = realNow() + this.parts.patienceMs
        quiet = -1
        continue
      }
      const busy = await this.#findBusy()
      if (busy === undefined) continue
      if (realNow() > giveUpAt) throw this.#stuck(busy)
      // A handler waits for something outside of the test's clock.
      await new Promise((resolve) => later(resolve, 1))
      quiet = -1
    }
    for (const job of this.#watched.values()) await job.refresh()
  }

  /**
   * Skips to the next moment at which something happens by itself.
   * @returns Why time alone does not help this job; `null` if it does, and has passed.
   */
  async skipToNext(jobId: string): Promise<string | null> {
    const { storage, clock, worker } = this.parts
    const chain = await this.#chainOf(jobId)
    const deadlines = chain.flatMap((job) => [deadlineOf(job.wait), jobDeadline(job)])
    if (deadlines.reduce(earliest, null) === null) {
      const last = chain.at(-1)
      const who = last === undefined || last.id === jobId ? 'it' : `its child ${last.id}`
      return `${who} ${whyWaiting(last?.wait ?? null, worker)}`
    }
    const due = (await storage.nextDueAt()) ?? clock.now()
    await clock.jump(Math.max(due, clock.now() + 1))
    await this.settle()
    return null
  }

  /** Lets this much time pass, and everything happen that it brings. */
  async skip(ms: number): Promise<void> {
    const { storage, clock } = this.parts
    const until = clock.now() + ms
    while (clock.now() < until) {
      const due = (await storage.nextDueAt()) ?? Infinity
      await clock.jump(Math.min(until, Math.max(due, clock.now() + 1)))
      await this.settle()
    }
  }

  /** Ends the engine; a handler that is busy is left to itself. */
  async close(): Promise<void> {
    const { engine, clock, storage, history } = this.parts
    this.#stopHints()
    const stopped = engine.stop(0)
    // The engine gives handlers their grace by the clock, and nobody else moves it.
    await clock.advance(0)
    await stopped
    await history.close()
    await storage.close()
  }

  /** A job whose handler runs, or that a message of its child is on its way to. */
  async #findBusy(): Promise<Job | undefined> {
    for (const id of this.#watched.keys()) {
      const last = (await this.#chainOf(id)).at(-1)
      if (last?.wait?.for === 'step' || last?.wait?.for === 'child') return last
    }
    return undefined
  }

  /** The job, the child that it waits for, the child's, and so on. */
  async #chainOf(jobId: string): Promise<readonly Job[]> {
    const chain: Job[] = []
    let job = await this.parts.storage.findJob(jobId)
    while (job !== undefined && (job.wait !== null || chain.length === 0)) {
      chain.push(job)
      job = job.wait?.for === 'child' ? await this.#find(job.wait.childId) : undefined
    }
    return chain
  }

  #find(jobId: string): Promise<Job | undefined> {
    return this.parts.storage.findJob(jobId)
  }

  #stuck({ id, state, wait }: Job): AssertionError {
    const ms = String(this.parts.patienceMs)
    const what =
      wait?.for === 'child'
        ? `did not hear of its child ${wait.childId}`
        : `runs the handler of '${state}', which has not come to its end`
    return failure(
      `Job ${id} ${what} for ${ms} ms of real time. Handlers that take longer need a larger patienceMs.`,
    )
  }
}

/** What must come from outside, and how a test lets it come. */
function whyWaiting(wait: Wait | null, worker: ScriptedWorker): string {
  if (wait?.for === 'approval') {
    const decisions = Object.keys(wait.transitions).join(', ')
    return `waits for a decision (${decisions}); give one with decide()`
  }
  if (wait?.for === 'event') {
    const match = wait.match === null ? '' : ` with ${JSON.stringify(wait.match)}`
    return `waits for the event '${wait.name}'${match}; send one with sendEvent()`
  }
  const unknown = tasksOf(wait)
    .map(({ run }) => run.spec.demand.type)
    .find((type) => !worker.knows(type))
  if (unknown === undefined) return 'waits for something that time does not bring'
  return `waits for a worker, and none is scripted for tasks of type '${unknown}'; add one to workers`
}
