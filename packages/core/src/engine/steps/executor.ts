/** Takes ready steps and runs their handlers, several at a time, each under a lease. */
import type { BlueprintRegistry } from '../../blueprint/registry.ts'
import type { JobEvent } from '../../job/event.ts'
import type { Job } from '../../job/job.ts'
import type { ClaimedStep, CommitEntry } from '../../ports/storage.ts'
import type { EngineParts } from '../engine-parts.ts'
import { Loop } from '../loop.ts'
import type { WriteOutcome } from '../jobs/handed-off.ts'
import type { Changed } from '../jobs/merge-changes.ts'
import { runStep, type StepTools } from './run-step.ts'

/** A step is handed out again when its holder has been silent for this long. */
const STEP_LEASE_MS = 10_000
/** How often to look without having been woken: a lost hint costs at most this much. */
const SLOW_TICK_MS = 1_000
/** How long a job whose blueprint is not loaded here is left alone. */
const MISSING_BLUEPRINT_PAUSE_MS = 5_000

type HeldStep = Pick<ClaimedStep, 'stepId' | 'jobId'>

export interface ExecutorOptions {
  readonly blueprints: BlueprintRegistry
  readonly tools: StepTools
  readonly concurrency: number
}

export class Executor {
  readonly #parts: EngineParts
  readonly #options: ExecutorOptions
  readonly #running = new Set<Promise<void>>()
  /** Steps that may have been written as ours; nobody else is given them before they are given back. */
  readonly #uncertain = new Set<string>()
  readonly #loop: Loop
  /** Steps that are ours as soon as they are written. */
  #reserved = 0
  /** Steps that are being asked for. */
  #claiming = 0
  readonly #onSettled = new Set<() => void>()
  #isOpen = false
  #hasGivenUp = false

  constructor(parts: EngineParts, options: ExecutorOptions) {
    this.#parts = parts
    this.#options = options
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'executor', clock, log, round: () => this.#round() })
  }

  start(): void {
    this.#hasGivenUp = false
    this.#isOpen = true
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
    this.#isOpen = false
    await this.#loop.stop()
    const allEnded = this.#windUp()
    if (graceMs === undefined) return allEnded
    let cancel = (): void => undefined
    const timeIsUp = new Promise<void>((resolve) => {
      cancel = clock.after(graceMs, () => {
        this.#hasGivenUp = true
        log.warn({ running: this.#running.size }, 'handlers did not end in time; they are left')
        resolve()
      })
    })
    await Promise.race([allEnded, timeIsUp])
    cancel()
  }

  /** Takes on the step that a change makes ready, if there is room; then it is written as ours. */
  reserve({ job: { wait }, effects }: Changed): CommitEntry['stepLease'] {
    if (!this.#isOpen || this.#room <= 0 || wait?.for !== 'step') return undefined
    const { stepId } = wait
    if (!effects.some((effect) => effect.kind === 'run_step' && effect.stepId === stepId)) {
      return undefined
    }
    this.#reserved += 1
    const { clock, instanceId: holder } = this.#parts
    return { holder, now: clock.now(), leaseMs: STEP_LEASE_MS }
  }

  /** The step that was taken on with this job is written, or not, or nobody knows. */
  settle(job: Job, outcome: WriteOutcome): void {
    const wasFull = this.#room <= 0
    this.#reserved -= 1
    const stepId = job.wait?.for === 'step' ? job.wait.stepId : ''
    if (outcome === 'written' && this.#isOpen) {
      this.#launch({ stepId, jobId: job.id }, job)
    } else {
      // Also one that became ours when no more are run here: others need not wait for its lease to end.
      if (outcome !== 'not_written') this.#uncertain.add(stepId)
      if (wasFull) this.wake()
    }
    for (const goOn of this.#onSettled) goOn()
    this.#onSettled.clear()
  }

  get #room(): number {
    const { concurrency } = this.#options
    return concurrency - this.#running.size - this.#reserved - this.#claiming
  }

  /** Waits for what runs and what is being written, and gives back what is not run here any more. */
  async #windUp(): Promise<void> {
    while (this.#running.size + this.#reserved > 0) {
      await (this.#running.size > 0 ? Promise.all(this.#running) : this.#nextSettled())
    }
    try {
      await this.#giveBackUncertain()
    } catch (error) {
      const { log } = this.#parts
      log.warn(
        { err: error },
        'steps could not be given back; others run them when their leases end',
      )
    }
  }

  #nextSettled(): Promise<void> {
    return new Promise((resolve) => this.#onSettled.add(resolve))
  }

  async #round(): Promise<number> {
    const { storage, clock, instanceId } = this.#parts
    await this.#giveBackUncertain()
    // Half of it: the other half is for steps that follow from what this process writes meanwhile.
    const limit = Math.ceil(this.#room / 2)
    if (limit <= 0) return SLOW_TICK_MS
    const lease = { now: clock.now(), leaseMs: STEP_LEASE_MS }
    this.#claiming = limit
    try {
      const steps = await storage.claimSteps({ ...lease, holder: instanceId, limit })
      for (const step of steps) this.#launch(step)
      return steps.length === limit ? 0 : SLOW_TICK_MS
    } finally {
      this.#claiming = 0
    }
  }

  async #giveBackUncertain(): Promise<void> {
    const { storage, instanceId: holder } = this.#parts
    for (const stepId of this.#uncertain) {
      await storage.releaseStep({ stepId, holder })
      this.#uncertain.delete(stepId)
    }
  }

  /** @param known - the job as it was just written with this step. */
  #launch(step: HeldStep, known?: Job): void {
    this.#uncertain.delete(step.stepId)
    const run = this.#run(step, known).finally(() => {
      const wasFull = this.#room <= 0
      this.#running.delete(run)
      if (wasFull) this.wake()
    })
    this.#running.add(run)
  }

  async #run(step: HeldStep, known?: Job): Promise<void> {
    const stopRenewing = this.#keepLease(step)
    try {
      const job = known ?? (await this.#parts.storage.findJob(step.jobId))
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
    { stepId }: HeldStep,
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
  async #discard({ stepId }: HeldStep): Promise<void> {
    await this.#parts.storage.dropStep(stepId)
  }

  #keepLease({ stepId }: HeldStep): () => void {
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
