/**
 * What this process can see to itself, in the same write that makes it: a step that it has room to run,
 * and tasks that a poll is waiting for here. It saves the way to the store and back.
 *
 * Nothing depends on it: what cannot be handed off is ready or on offer for all.
 */
import { InternalError } from '@avtomatika/protocol'
import type { Decision } from '../job/decision.ts'
import type { OfferedTask } from '../job/effect.ts'
import type { TaskClaimedEvent } from '../job/event.ts'
import type { Job } from '../job/job.ts'
import { find } from '../job/on-task.ts'
import type { Clock } from '../ports/clock.ts'
import type { CommitEntry } from '../ports/storage.ts'
import { classIdOf, type HandOver, type Reservation } from '../ports/task-store.ts'
import type { Executor, WriteOutcome } from './executor.ts'
import type { HandedTask } from './handed-task.ts'
import type { Matchmaker } from './matchmaker.ts'
import { mergeChanges, type Changed } from './merge-changes.ts'
import type { Guest, WaitingRoom } from './waiting-room.ts'

export interface HandOffOptions {
  readonly clock: Clock
  readonly executor: Executor
  readonly matchmaker: Matchmaker
  readonly room: WaitingRoom
  /** How long a worker may be silent before its tasks count as lost, in ms. */
  readonly leaseMs: number
  /** A worker may have been given a task that it was not told of. */
  readonly onUncertain: (task: OfferedTask, workerId: string) => void
  readonly decide: (job: Job, event: TaskClaimedEvent) => Decision
}

/** A change, with what becomes of its effects in this process. */
export interface HandedOff {
  readonly change: Changed
  readonly entry: Pick<CommitEntry, 'handOvers' | 'reservations' | 'stepLease'>
  /** To be called once, when it is known whether the change was written. */
  readonly settle: (outcome: WriteOutcome) => void
}

interface Match {
  readonly guest: Guest
  readonly tasks: OfferedTask[]
}

export class HandOff {
  readonly #options: HandOffOptions

  constructor(options: HandOffOptions) {
    this.#options = options
  }

  prepare(change: Changed): HandedOff {
    const { executor } = this.#options
    const stepLease = executor.reserve(change)
    const { matches, reservations } = this.#match(change)
    const handed = this.#handOver(change, matches)
    return {
      change: handed.change,
      entry: {
        ...(handed.handOvers.length > 0 && { handOvers: handed.handOvers }),
        ...(reservations.length > 0 && { reservations }),
        ...(stepLease && { stepLease }),
      },
      settle: (outcome) => {
        if (stepLease !== undefined) executor.settle(handed.change.job, outcome)
        this.#answer(handed, matches, outcome)
      },
    }
  }

  /** Finds a waiting poll for each task, or says who should have it first. */
  #match({ job, effects }: Changed): {
    matches: readonly Match[]
    reservations: readonly Reservation[]
  } {
    const matches: Match[] = []
    const reservations: Reservation[] = []
    for (const effect of effects) {
      if (effect.kind !== 'offer_task') continue
      const { task } = effect
      // What was offered and withdrawn in one write is nobody's.
      if (find(job, task.taskId)?.run.phase.kind !== 'offered') continue
      const reservation = this.#options.matchmaker.reservationFor(task)
      if (!this.#seat(task, reservation, matches) && reservation !== undefined) {
        reservations.push(reservation)
      }
    }
    return { matches, reservations }
  }

  /** Whether a poll that waits here is to have the task. */
  #seat(task: OfferedTask, reservation: Reservation | undefined, matches: Match[]): boolean {
    const { room, clock } = this.#options
    // Whose turn it is, and who holds least, is known to the store alone.
    if (reservation !== undefined && reservation.choose !== 'best') return false
    const best = reservation?.candidates[0]?.workerId
    const { avoid, demand } = task
    const avoided = avoid !== null && avoid.until > clock.now() ? avoid.workerId : undefined
    const isWanted = (workerId: string): boolean =>
      workerId !== avoided && (best === undefined || workerId === best)
    const classId = classIdOf(demand)
    room.learn({ classId, demand })
    const guest = room.take(classId, isWanted)
    if (guest !== undefined) {
      matches.push({ guest, tasks: [task] })
      return true
    }
    // Somebody who takes several at a time may have room left.
    const seated = matches.find(
      ({ guest: { worker, max }, tasks }) =>
        tasks.length < max &&
        isWanted(worker.workerId) &&
        tasks.some((other) => classIdOf(other.demand) === classId),
    )
    seated?.tasks.push(task)
    return seated !== undefined
  }

  #handOver(
    change: Changed,
    matches: readonly Match[],
  ): { readonly change: Changed; readonly handOvers: readonly HandOver[] } {
    const { clock, leaseMs } = this.#options
    const now = clock.now()
    const handOvers: HandOver[] = []
    let handed = change
    for (const { guest, tasks } of matches) {
      const { workerId, maxConcurrentTasks: capacity } = guest.worker
      for (const { taskId } of tasks) {
        handed = this.#claim(handed, { kind: 'task_claimed', at: now, taskId, workerId })
        handOvers.push({ taskId, workerId, capacity, now, leaseMs })
      }
    }
    return { change: handed, handOvers }
  }

  /** Adds to a change that a worker has one of its tasks. */
  #claim(change: Changed, event: TaskClaimedEvent): Changed {
    const decision = this.#options.decide(change.job, event)
    if (decision.kind !== 'changed') {
      const message = `Task ${event.taskId} was offered, and could not be claimed.`
      throw new InternalError('INTERNAL', { message })
    }
    return mergeChanges(change, decision)
  }

  #answer(
    { change, handOvers }: { readonly change: Changed; readonly handOvers: readonly HandOver[] },
    matches: readonly Match[],
    outcome: WriteOutcome,
  ): void {
    for (const { guest, tasks } of matches) {
      if (outcome === 'written') {
        guest.answer({ tasks: tasks.map((task) => handedTask(change, task, handOvers)) })
        continue
      }
      // A call of nobody's: the poll looks once more, and waits again.
      guest.answer({ number: 0, classId: '' })
      const { workerId } = guest.worker
      if (outcome === 'unknown') {
        for (const task of tasks) this.#options.onUncertain(task, workerId)
      }
    }
  }
}

function handedTask(
  { job }: Changed,
  task: OfferedTask,
  handOvers: readonly HandOver[],
): HandedTask {
  const phase = find(job, task.taskId)?.run.phase
  const lease = handOvers.find(({ taskId }) => taskId === task.taskId)
  return {
    task,
    leaseExpiresAt: lease === undefined ? 0 : lease.now + lease.leaseMs,
    deadlineAt: phase?.kind === 'claimed' ? phase.deadlineAt : 0,
  }
}
