/**
 * What this process can see to itself, in the same write that makes it: a step that it has room to run,
 * and tasks that a poll is waiting for here. It saves the way to the store and back.
 *
 * Nothing depends on it: what cannot be handed off is ready or on offer for all.
 */
import { InternalError } from '@avtomatika/protocol'
import type { Decision } from '../../job/decision.ts'
import type { OfferedTask } from '../../job/effect.ts'
import type { TaskClaimedEvent } from '../../job/event.ts'
import type { Job } from '../../job/job.ts'
import { find } from '../../job/on-task.ts'
import type { EpochMs } from '../../job/vocabulary.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  classIdOf,
  type HandOver,
  type Reservation,
  type TaskClass,
} from '../../ports/task-store.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import type { Executor } from '../steps/executor.ts'
import type { HandedOff, WriteOutcome } from '../jobs/handed-off.ts'
import { handOverLease } from './hand-over-lease.ts'
import type { HandedTask } from './handed-task.ts'
import type { Matchmaker } from '../matching/matchmaker.ts'
import { mergeChanges, type Changed } from '../jobs/merge-changes.ts'
import { Seating, type Match } from './seating.ts'
import type { TakeBacks } from './take-backs.ts'
import { isLimited } from '../matching/type-limits.ts'
import { LOOK_AGAIN, type WaitingRoom } from './waiting-room.ts'

export interface HandOffOptions {
  readonly clock: Clock
  readonly executor: Pick<Executor, 'reserve' | 'settle'>
  readonly matchmaker: Matchmaker
  readonly room: WaitingRoom
  /** How long a worker may be silent before its tasks count as lost, in ms. */
  readonly leaseMs: number
  readonly takeBacks: Pick<TakeBacks, 'noteUncertain' | 'noteHanded'>
  /** Takes note of a class that tasks are offered of. */
  readonly learn: (taskClass: TaskClass) => void
  readonly decide: (job: Job, event: TaskClaimedEvent) => Decision
}

interface Handed {
  readonly change: Changed
  readonly handOvers: readonly HandOver[]
}

export class HandOff {
  readonly #options: HandOffOptions

  constructor(options: HandOffOptions) {
    this.#options = options
  }

  /** @param mayHandOver - whether tasks may go to polls that wait here. */
  prepare(change: Changed, mayHandOver = true): HandedOff {
    const { executor } = this.#options
    const stepLease = executor.reserve(change)
    const seating = new Seating()
    const { matches } = seating
    const settle = (handed: Handed, outcome: WriteOutcome): void => {
      if (stepLease !== undefined) executor.settle(handed.change.job, outcome)
      this.#answer(handed, matches, outcome)
    }
    try {
      const reservations = this.#match(change, mayHandOver ? seating : undefined)
      const handed = this.#handOver(change, matches)
      const entry = {
        ...(handed.handOvers.length > 0 && { handOvers: handed.handOvers }),
        ...(reservations.length > 0 && { reservations }),
        ...(stepLease && { stepLease }),
      }
      return { change: handed.change, entry, settle: (outcome) => settle(handed, outcome) }
    } catch (error) {
      // Nothing will be written; who was taken out of the room must not wait for ever.
      settle({ change, handOvers: [] }, 'not_written')
      throw error
    }
  }

  /** Finds a waiting poll for each task, or says who should have it first. */
  #match({ job, effects }: Changed, seating: Seating | undefined): readonly Reservation[] {
    const reservations: Reservation[] = []
    for (const effect of effects) {
      if (effect.kind !== 'offer_task') continue
      const { task } = effect
      // What was offered and withdrawn in one write is nobody's.
      if (find(job, task.taskId)?.run.phase.kind !== 'offered') continue
      const reservation = this.#options.matchmaker.reservationFor(task)
      const isSeated = seating !== undefined && this.#seat(task, reservation, seating)
      if (!isSeated && reservation !== undefined) {
        reservations.push(reservation)
      }
    }
    return reservations
  }

  /** Whether a poll that waits here is to have the task. */
  #seat(task: OfferedTask, reservation: Reservation | undefined, seating: Seating): boolean {
    const { room, clock, learn } = this.#options
    // Whose turn it is, and who holds least, is known to the store alone.
    if (reservation !== undefined && reservation.choose !== 'best') return false
    const best = reservation?.candidates[0]
    const { avoid, demand } = task
    const avoided = avoid !== null && avoid.until > clock.now() ? avoid.workerId : undefined
    // And so is whether a worker that should have fewer than it could take has that many.
    const isWanted = (worker: WorkerRecord): boolean =>
      worker.workerId !== avoided &&
      !isLimited(worker, demand.type) &&
      (best === undefined ||
        (worker.workerId === best.workerId && worker.maxConcurrentTasks <= best.capacity))
    const classId = classIdOf(demand)
    learn({ classId, demand })
    const guest = room.take(classId, isWanted, best?.workerId)
    // Somebody who takes several at a time may have room left.
    if (guest === undefined) return seating.seatBeside(task, classId, isWanted)
    seating.seat(guest, task, classId)
    return true
  }

  #handOver(change: Changed, matches: readonly Match[]): Handed {
    const { clock, leaseMs } = this.#options
    const now = clock.now()
    const handOvers: HandOver[] = []
    const claims: Changed[] = []
    let { job } = change
    for (const { guest, tasks } of matches) {
      const { workerId, maxConcurrentTasks: capacity } = guest.worker
      for (const { taskId } of tasks) {
        const claim = this.#claim(job, { kind: 'task_claimed', at: now, taskId, workerId })
        claims.push(claim)
        job = claim.job
        const lease = handOverLease(guest.worker, leaseMs)
        handOvers.push({ taskId, workerId, capacity, now, ...lease })
      }
    }
    return { change: mergeChanges([change, ...claims]) ?? change, handOvers }
  }

  /** That a worker has one of a job's tasks. */
  #claim(job: Job, event: TaskClaimedEvent): Changed {
    const decision = this.#options.decide(job, event)
    if (decision.kind === 'changed') return decision
    const message = `Task ${event.taskId} was offered, and could not be claimed.`
    throw new InternalError('INTERNAL', { message })
  }

  #answer({ change, handOvers }: Handed, matches: readonly Match[], outcome: WriteOutcome): void {
    const { takeBacks } = this.#options
    const { leaseMs } = this.#options
    const leases = new Map(handOvers.map(({ taskId, now }) => [taskId, now + leaseMs]))
    for (const { guest, tasks } of matches) {
      if (outcome === 'written') {
        for (const task of tasks) takeBacks.noteHanded(task)
        guest.answer({ tasks: tasks.map((task) => handedTask(change, task, leases)) })
        continue
      }
      // A call of nobody's: the poll looks once more, and waits again.
      guest.answer(LOOK_AGAIN)
      const { workerId } = guest.worker
      if (outcome === 'unknown') {
        for (const task of tasks) takeBacks.noteUncertain(task, workerId)
      }
    }
  }
}

function handedTask(
  { job }: Changed,
  task: OfferedTask,
  leases: ReadonlyMap<string, EpochMs>,
): HandedTask {
  const phase = find(job, task.taskId)?.run.phase
  return {
    task,
    leaseExpiresAt: leases.get(task.taskId) ?? 0,
    deadlineAt: phase?.kind === 'claimed' ? phase.deadlineAt : 0,
  }
}
