/**
 * Tells jobs that their time is up, or that the worker of their task is gone; ends reservations that
 * nobody came for.
 */
import type { TimerFiredEvent } from '../job/event.ts'
import type { Job } from '../job/job.ts'
import { taskDeadline, tasksOf } from '../job/wait.ts'
import type { DueDeadline } from '../ports/storage.ts'
import type { EngineParts } from './engine-parts.ts'
import { Loop } from './loop.ts'
import type { Roster } from './roster.ts'
import { whyNobodyFits } from './why-nobody-fits.ts'

/** Long enough to apply a batch, short enough that a crash in between delays nobody much. */
const LEASE_MS = 10_000
const BATCH = 200
const SLOW_TICK_MS = 1_000

export class Watcher {
  readonly #parts: EngineParts
  readonly #roster: Roster
  readonly #loop: Loop
  #nextRoundAt = 0

  constructor(parts: EngineParts, roster: Roster) {
    this.#parts = parts
    this.#roster = roster
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'watcher', clock, log, round: () => this.#round() })
  }

  start(): void {
    this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** A deadline was set; looks earlier than planned if need be. */
  expect(at: number): void {
    if (at < this.#nextRoundAt) this.#loop.wake()
  }

  async #round(): Promise<number> {
    // What is set while this round is under way may have been set too late for it.
    this.#nextRoundAt = Infinity
    const { storage, clock } = this.#parts
    const claim = { now: clock.now(), leaseMs: LEASE_MS, limit: BATCH }
    const lost = await storage.claimLostTasks(claim)
    const due = await storage.claimDueDeadlines(claim)
    const missed = await storage.endReservations({ now: clock.now(), limit: BATCH })
    for (const { workerId } of missed) this.#roster.noteMiss(workerId)
    await Promise.all([
      ...lost.map((task) => this.#lose(task)),
      ...due.map((deadline) => this.#fire(deadline)),
    ])
    if (lost.length + due.length + missed.length > 0) return 0
    const next = (await storage.nextDueAt()) ?? Infinity
    const pauseMs = Math.max(1, Math.min(SLOW_TICK_MS, next - clock.now()))
    this.#nextRoundAt = clock.now() + pauseMs
    return pauseMs
  }

  async #lose({ taskId, jobId }: { taskId: string; jobId: string }): Promise<void> {
    const { storage, clock, writer, log } = this.#parts
    const decision = await writer.apply(jobId, { kind: 'task_lost', at: clock.now(), taskId })
    if (decision.kind === 'changed') log.warn({ jobId, taskId }, 'the worker of a task was lost')
    else await storage.dropTask(taskId)
  }

  async #fire(deadline: DueDeadline): Promise<void> {
    const { storage, clock, writer, ids } = this.#parts
    const { jobId, key } = deadline
    // It was due when it was claimed; a clock set back since then must not make it early again.
    const at = Math.max(clock.now(), deadline.at)
    const decision = await writer.apply(jobId, async (job): Promise<TimerFiredEvent> => {
      const reasons = await this.#whyNotTaken(job, at)
      return { kind: 'timer_fired', at, key, chance: ids.chance(), ...(reasons && { reasons }) }
    })
    if (decision.kind !== 'changed') await storage.dropDeadline(deadline)
  }

  /** For tasks whose time on offer is up: what kept every worker from taking them (W3). */
  async #whyNotTaken(
    job: Job | undefined,
    at: number,
  ): Promise<Record<string, string> | undefined> {
    const waiting = tasksOf(job?.wait ?? null).filter(({ run }) => {
      const deadline = taskDeadline(run)
      return run.phase.kind === 'offered' && deadline !== null && deadline <= at
    })
    if (waiting.length === 0) return undefined
    const workers = await this.#parts.storage.listWorkers({ now: at })
    const reasons = waiting.map(({ run }) => [run.taskId, whyNobodyFits(workers, run.spec.demand)])
    return Object.fromEntries(reasons) as Record<string, string>
  }
}
