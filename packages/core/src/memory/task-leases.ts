/** Who holds which task, and until when. A lease whose time has come is held by nobody (S4). */
import type { OfferedTask } from '../job/effect.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import { Heap } from './heap.ts'

/** A task in the hands of a worker. */
export interface LeasedTask {
  readonly task: OfferedTask
  readonly workerId: string
  /** When the worker was given it. */
  readonly givenAt: EpochMs
  /** The worker is to acknowledge it, and has not done so yet. */
  readonly isUnreceived: boolean
}

interface Entry extends LeasedTask {
  expiresAt: EpochMs
  isUnreceived: boolean
}

export class TaskLeases {
  readonly #byTask = new Map<string, Entry>()
  readonly #byWorker = new Map<string, Set<Entry>>()
  readonly #byExpiry = new Heap<Entry>((a, b) => a.expiresAt < b.expiresAt)

  add(lease: LeasedTask, expiresAt: EpochMs): void {
    const entry: Entry = { ...lease, expiresAt }
    this.#byTask.set(lease.task.taskId, entry)
    const ofWorker = this.#byWorker.get(lease.workerId) ?? new Set()
    this.#byWorker.set(lease.workerId, ofWorker.add(entry))
    this.#byExpiry.add(entry)
  }

  remove(taskId: string): void {
    const entry = this.#byTask.get(taskId)
    if (entry === undefined) return
    this.#byTask.delete(taskId)
    this.#byExpiry.remove(entry)
    const ofWorker = this.#byWorker.get(entry.workerId)
    ofWorker?.delete(entry)
    if (ofWorker?.size === 0) this.#byWorker.delete(entry.workerId)
  }

  /** The live leases of a worker; costs what the worker holds. */
  liveOf(workerId: string, now: EpochMs): readonly LeasedTask[] {
    const ofWorker = this.#byWorker.get(workerId) ?? []
    return [...ofWorker].filter(({ expiresAt }) => expiresAt > now)
  }

  /** Whether somebody has the task, or had it and nobody has noticed the end of the lease yet. */
  has(taskId: string): boolean {
    return this.#byTask.has(taskId)
  }

  givenAt(taskId: string): EpochMs | undefined {
    return this.#byTask.get(taskId)?.givenAt
  }

  countLive(workerId: string, now: EpochMs): number {
    return this.liveOf(workerId, now).length
  }

  /** Moves the end of a lease. */
  move({ task }: LeasedTask, expiresAt: EpochMs): void {
    const entry = this.#byTask.get(task.taskId)
    if (entry === undefined) return
    this.#byExpiry.remove(entry)
    entry.expiresAt = expiresAt
    this.#byExpiry.add(entry)
  }

  /** The worker has got the task. */
  noteReceived({ task }: LeasedTask): void {
    const entry = this.#byTask.get(task.taskId)
    if (entry !== undefined) entry.isUnreceived = false
  }

  firstExpiry(): EpochMs | undefined {
    return this.#byExpiry.first()?.expiresAt
  }

  /** Takes out the leases that have run out. */
  takeExpired(now: EpochMs): readonly Readonly<Entry>[] {
    const expired: Entry[] = []
    for (;;) {
      const entry = this.#byExpiry.first()
      if (entry === undefined || entry.expiresAt > now) return expired
      this.remove(entry.task.taskId)
      expired.push(entry)
    }
  }
}
