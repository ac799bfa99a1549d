/** Takes ready steps and runs their handlers, several at a time, each under a lease. */
import type { BlueprintRegistry } from '../blueprint/registry.ts'
import type { JobEvent } from '../job/event.ts'
import type { Job } from '../job/job.ts'
import type { ClaimedStep } from '../ports/storage.ts'
import type { EngineParts } from './engine-parts.ts'
import { Loop } from './loop.ts'
import { runStep, type StepTools } from './run-step.ts'

/** A step is handed out again when its holder has been silent for this long. */
const STEP_LEASE_MS = 30_000
/** How often to look without having been woken: a lost hint costs at most this much. */
const SLOW_TICK_MS = 1_000
/** How long a job whose blueprint is not loaded here is left alone. */
const MISSING_BLUEPRINT_PAUSE_MS = 5_000

export interface ExecutorOptions {
  readonly blueprints: BlueprintRegistry
  readonly tools: StepTools
  readonly concurrency: number
}

export class Executor {
  readonly #parts: EngineParts
  readonly #options: ExecutorOptions
  readonly #running = new Set<Promise<void>>()
  readonly #loop: Loop
  #hasGivenUp = false

  constructor(parts: EngineParts, options: ExecutorOptions) {
    this.#parts = parts
    this.#options = options
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'executor', clock, log, round: () => this.#round() })
  }

  start(): void {
    this.#hasGivenUp = false
    this.#loop.start()
  }

  wake(): void {
    this.#loop.wake()
  }

  /**
   * Takes no more steps, and lets those that run come to their end.
   * @param graceMs - how long at most; the leases of the rest run out, and they run elsewhere.
   */
  async stop(graceMs: number | undefined): Promise<void> {
    const { clock, log } = this.#parts
    await this.#loop.stop()
    const allEnded = Promise.all(this.#running)
    if (graceMs === undefined || this.#running.size === 0) {
      await allEnded
      return
    }
    let cancel = (): void => undefined
    const timeIsUp = new Promise((resolve) => {
      cancel = clock.after(graceMs, () => {
        this.#hasGivenUp = true
        log.warn({ running: this.#running.size }, 'handlers did not end in time; they are left')
        resolve(undefined)
      })
    })
    await Promise.race([allEnded, timeIsUp])
    cancel()
  }

  async #round(): Promise<number> {
    const { storage, clock, instanceId } = this.#parts
    const limit = this.#options.concurrency - this.#running.size
    if (limit <= 0) return SLOW_TICK_MS
    const now = clock.now()
    const lease = { now, leaseMs: STEP_LEASE_MS }
    const steps = await storage.claimSteps({ ...lease, holder: instanceId, limit })
    for (const step of steps) this.#launch(step)
    return steps.length === limit ? 0 : SLOW_TICK_MS
  }

  #launch(step: ClaimedStep): void {
    const wasFull = (): boolean => this.#running.size >= this.#options.concurrency
    const run = this.#run(step).finally(() => {
      const full = wasFull()
      this.#running.delete(run)
      if (full) this.wake()
    })
    this.#running.add(run)
  }

  async #run(step: ClaimedStep): Promise<void> {
    const stopRenewing = this.#keepLease(step)
    try {
      const job = await this.#parts.storage.findJob(step.jobId)
      const event = await this.#eventFor(step, job)
      const decision = event && (await this.#parts.writer.apply(step.jobId, event, job))
      if (decision?.kind !== 'changed') await this.#discard(step)
    } catch (error) {
      // The lease is left to run out: then the step is handed out again, here or elsewhere.
      this.#parts.log.error({ err: error, ...step }, 'a step could not be completed')
    } finally {
      stopRenewing()
    }
  }

  /** `undefined` when the job no longer waits for this step (D-21, D-22). */
  async #eventFor(
    { stepId }: ClaimedStep,
    job: Job | undefined,
  ): Promise<Extract<JobEvent, { stepId: string }> | undefined> {
    if (job?.wait?.for !== 'step' || job.wait.stepId !== stepId) return undefined
    const { clock, ids } = this.#parts
    const blueprint = this.#options.blueprints.find(job.blueprint)
    if (blueprint === undefined) return this.#deferred(job, stepId)
    const outcome = await runStep(job, blueprint, this.#options.tools)
    const at = clock.now()
    if (outcome.kind === 'succeeded') {
      const { action, remarks } = outcome
      return { kind: 'step_succeeded', at, stepId, action, remarks }
    }
    const { error, then } = outcome
    const where = { jobId: job.id, blueprint: job.blueprint.name, state: job.state }
    this.#parts.log.warn({ ...where, error }, `the handler of '${job.state}' failed`)
    return { kind: 'step_failed', at, stepId, error, then, chance: ids.chance() }
  }

  /** A version that is not loaded is waited for, visibly, and never guessed at. */
  #deferred(job: Job, stepId: string): Extract<JobEvent, { stepId: string }> {
    const { name, version } = job.blueprint
    const message = `Blueprint '${name}' (${version ?? 'no version'}) is not loaded by any orchestrator that looked. Load it and the job goes on.`
    this.#parts.log.warn({ jobId: job.id, blueprint: name, version }, message)
    const at = this.#parts.clock.now()
    const until = at + MISSING_BLUEPRINT_PAUSE_MS
    const reason = { code: 'BLUEPRINT_NOT_LOADED', message }
    return { kind: 'step_deferred', at, stepId, reason, until }
  }

  /** The step is of no use any more; what made it so has withdrawn it, or will. */
  async #discard({ stepId }: ClaimedStep): Promise<void> {
    await this.#parts.storage.dropStep(stepId)
  }

  #keepLease({ stepId }: ClaimedStep): () => void {
    const { storage, clock, instanceId: holder, log } = this.#parts
    let cancel: () => void
    const renew = (): void => {
      if (this.#hasGivenUp) return
      cancel = clock.after(STEP_LEASE_MS / 3, renew)
      const lease = { stepId, holder, now: clock.now(), leaseMs: STEP_LEASE_MS }
      storage.renewStep(lease).catch((error: unknown) => {
        log.warn({ err: error, stepId }, 'the lease of a step could not be renewed')
      })
    }
    cancel = clock.after(STEP_LEASE_MS / 3, renew)
    return () => {
      cancel()
    }
  }
}
