/**
 * Tells jobs that their time is up, or that the worker of their task is gone; ends reservations that
 * nobody came for.
 */
import type { TimerFiredEvent } from '../../job/event.ts'
import type { Job } from '../../job/job.ts'
import { taskDeadline } from '../../job/task-deadline.ts'
import { tasksOf } from '../../job/wait.ts'
import type { DueDeadline, Storage } from '../../ports/storage.ts'
import type { LostTask } from '../../ports/task-store.ts'
import { allEnded } from './all-ended.ts'
import type { EngineParts } from '../engine-parts.ts'
import { Loop } from '../loop.ts'
import type { Reputations } from '../workers/reputations.ts'
import type { Roster } from '../workers/roster.ts'
import type { Shortages } from '../matching/shortages.ts'

/** Long enough to apply a batch, short enough that a crash in between delays nobody much. */
const LEASE_MS = 10_000
const BATCH = 200
const SLOW_TICK_MS = 1_000

export interface WatcherOptions {
  readonly roster: Roster
  readonly reputations: Pick<Reputations, 'note'>
  readonly shortages: Shortages
  /** Whether a worker waits at this orchestrator for tasks of a class. */
  readonly isWaiting: (workerId: string, classId: string) => boolean
}

export class Watcher {
  readonly #parts: EngineParts
  readonly #roster: Roster
  readonly #reputations: WatcherOptions['reputations']
  readonly #shortages: Shortages
  readonly #isWaiting: WatcherOptions['isWaiting']
  readonly #loop: Loop
  #nextRoundAt = 0

  constructor(parts: EngineParts, { roster, reputations, shortages, isWaiting }: WatcherOptions) {
    this.#parts = parts
    this.#roster = roster
    this.#reputations = reputations
    this.#shortages = shortages
    this.#isWaiting = isWaiting
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
    // Each on its own: what was claimed is seen to, whether or not another question can be asked.
    const counts = await allEnded([
      this.#tellLost(claim),
      this.#fireDue(claim),
      this.#endReservations(),
    ])
    if (counts.some((count) => count > 0)) return 0
    const next = (await storage.nextDueAt()) ?? Infinity
    const pauseMs = Math.max(1, Math.min(SLOW_TICK_MS, next - clock.now()))
    this.#nextRoundAt = clock.now() + pauseMs
    return pauseMs
  }

  async #tellLost(claim: Parameters<Storage['claimLostTasks']>[0]): Promise<number> {
    const lost = await this.#parts.storage.claimLostTasks(claim)
    await allEnded(lost.map((task) => this.#lose(task)))
    return lost.length
  }

  async #fireDue(claim: Parameters<Storage['claimDueDeadlines']>[0]): Promise<number> {
    const due = await this.#parts.storage.claimDueDeadlines(claim)
    await allEnded(due.map((deadline) => this.#fire(deadline)))
    return due.length
  }

  async #endReservations(): Promise<number> {
    const { storage, clock } = this.#parts
    const missed = await storage.endReservations({ now: clock.now(), limit: BATCH })
    for (const { workerId, classId } of missed) {
      // Who waits right here did not stay away: this orchestrator was too slow to call.
      if (!this.#isWaiting(workerId, classId)) this.#roster.noteMiss(workerId)
    }
    return missed.length
  }

  async #lose({ taskId, jobId, unreceivedBy }: LostTask): Promise<void> {
    const { storage, clock, writer, log } = this.#parts
    if (unreceivedBy !== undefined) return this.#takeBack({ taskId, jobId }, unreceivedBy)
    const decision = await writer.apply(jobId, { kind: 'task_lost', at: clock.now(), taskId })
    if (decision.kind !== 'changed') return storage.dropTask(taskId)
    log.warn({ jobId, taskId }, 'the worker of a task was lost')
    for (const effect of decision.effects) {
      const workerId = effect.kind === 'record' ? effect.record.workerId : undefined
      if (workerId === undefined || effect.kind !== 'record') continue
      // One that is there never got the task: the answer to its poll was lost on the way.
      const worker = this.#roster.find(workerId, clock.now())
      const isGone = worker === undefined || worker.status === 'offline'
      if (effect.record.type === 'task_lost' && isGone) this.#reputations.note(workerId, 'lost')
    }
  }

  /** A task never reached its worker: it is offered again, at the price of no retry (W8). */
  async #takeBack(
    { taskId, jobId }: Pick<LostTask, 'taskId' | 'jobId'>,
    workerId: string,
  ): Promise<void> {
    const { storage, clock, writer, log } = this.#parts
    // Only what was claimed can be handed back, and its job may not have heard of the claim.
    await writer.apply(jobId, { kind: 'task_claimed', at: clock.now(), taskId, workerId })
    const outcome = { kind: 'handed_back' } as const
    const event = { kind: 'task_result', at: clock.now(), taskId, workerId, outcome } as const
    const { kind } = await writer.apply(jobId, { ...event, chance: 0 })
    if (kind !== 'changed') return storage.dropTask(taskId)
    log.warn({ jobId, taskId, workerId }, 'a task was not acknowledged; it is offered again')
  }

  async #fire(deadline: DueDeadline): Promise<void> {
    const { storage, clock, writer, ids } = this.#parts
    const { jobId, key } = deadline
    // It was due when it was claimed; a clock set back since then must not make it early again.
    const at = Math.max(clock.now(), deadline.at)
    let late: readonly string[] = []
    const decision = await writer.apply(jobId, (job): TimerFiredEvent => {
      late = key === 'job' ? [] : workersBehind(job, at)
      const reasons = this.#whyNotTaken(job, at)
      return { kind: 'timer_fired', at, key, chance: ids.chance(), ...(reasons && { reasons }) }
    })
    if (decision.kind !== 'changed') return storage.dropDeadline(deadline)
    for (const workerId of late) this.#reputations.note(workerId, 'timeout')
  }

  /** For tasks whose time on offer is up: what kept every worker from taking them (W3). */
  #whyNotTaken(job: Job | undefined, at: number): Record<string, string> | undefined {
    const waiting = tasksOf(job?.wait ?? null).filter(({ run }) => {
      const deadline = taskDeadline(run)
      return run.phase.kind === 'offered' && deadline !== null && deadline <= at
    })
    if (waiting.length === 0) return undefined
    const reasons = waiting.map(({ run }): [string, string] => [
      run.taskId,
      this.#shortages.of(run.spec).text,
    ])
    return Object.fromEntries(reasons)
  }
}

/** Who has had as long as the dispatch allows, and longer. */
function workersBehind(job: Job | undefined, at: number): readonly string[] {
  return tasksOf(job?.wait ?? null).flatMap(({ run: { phase, spec } }) => {
    const isBehind = phase.kind === 'claimed' && phase.claimedAt + spec.executionTimeoutMs <= at
    return isBehind ? [phase.workerId] : []
  })
}
