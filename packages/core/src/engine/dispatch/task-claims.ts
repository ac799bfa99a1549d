/** Takes tasks out of the store for a worker, and makes that true in their jobs. */
import { find } from '../../job/on-task.ts'
import type { EpochMs } from '../../job/vocabulary.ts'
import type { ClaimedTask } from '../../ports/task-store.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import type { EngineParts } from '../engine-parts.ts'
import { handOverLease } from './hand-over-lease.ts'
import type { HandedTask } from './handed-task.ts'
import type { InputSchemas } from '../matching/input-schemas.ts'
import type { Poll } from './poll.ts'
import type { TakeBacks } from './take-backs.ts'
import { typeLimits } from '../matching/type-limits.ts'
import type { WaitingRoom } from './waiting-room.ts'

export interface TaskClaimsOptions {
  readonly room: WaitingRoom
  readonly takeBacks: TakeBacks
  /** How long a worker may be silent before its tasks count as lost, in ms. */
  readonly leaseMs: number
  readonly inputs: Pick<InputSchemas, 'takes'>
}

export class TaskClaims {
  readonly #parts: EngineParts
  readonly #room: WaitingRoom
  readonly #takeBacks: TakeBacks
  readonly #leaseMs: number
  readonly #inputs: TaskClaimsOptions['inputs']

  constructor(parts: EngineParts, { room, takeBacks, leaseMs, inputs }: TaskClaimsOptions) {
    this.#parts = parts
    this.#room = room
    this.#takeBacks = takeBacks
    this.#leaseMs = leaseMs
    this.#inputs = inputs
  }

  /** Takes what there is for a worker, and gives it back if the worker is gone by then. */
  async take(
    worker: WorkerRecord,
    poll: Pick<Poll, 'max' | 'signal'>,
  ): Promise<readonly HandedTask[]> {
    while (!poll.signal.aborted) {
      const claims = await this.#claim(worker, poll.max)
      const tasks = await this.#handOverAll(worker, claims)
      // What was claimed may be wanted no more; behind it may stand a task that is.
      if (poll.signal.aborted) {
        await Promise.all(tasks.map(({ task }) => this.#takeBacks.take(task, worker.workerId)))
      } else if (tasks.length > 0 || claims.length === 0) return tasks
    }
    return []
  }

  #claim(worker: WorkerRecord, limit: number): Promise<readonly ClaimedTask[]> {
    const { storage, clock } = this.#parts
    const { workerId, maxConcurrentTasks: capacity } = worker
    const classIds = this.#room.classesFor(worker)
    if (classIds.length === 0) return Promise.resolve([])
    const limits = typeLimits(worker, (type) => this.#room.classesOf(type, classIds))
    const lease = handOverLease(worker, this.#leaseMs)
    const claim = { workerId, classIds, limit, capacity, now: clock.now(), ...lease }
    return storage.claimTasks({ ...claim, ...(limits.length > 0 && { limits }) })
  }

  /** Those that could be handed over; the others are taken back as soon as the store answers. */
  async #handOverAll(
    worker: WorkerRecord,
    claims: readonly ClaimedTask[],
  ): Promise<readonly HandedTask[]> {
    const ends = await Promise.allSettled(claims.map((claim) => this.#handOver(worker, claim)))
    const tasks = ends.flatMap((end) => (end.status === 'fulfilled' ? (end.value ?? []) : []))
    const failed = ends.find((end) => end.status === 'rejected')
    if (tasks.length === 0 && failed !== undefined) throw failed.reason
    return tasks
  }

  /** The claim becomes true in the job, or the task turns out to be wanted no more. */
  async #handOver(worker: WorkerRecord, claim: ClaimedTask): Promise<HandedTask | undefined> {
    const { storage, clock, writer } = this.#parts
    const { task } = claim
    const { workerId } = worker
    const event = { kind: 'task_claimed', at: clock.now(), taskId: task.taskId, workerId } as const
    if (!this.#inputs.takes(worker, task)) {
      await this.#takeBacks.refuse(task, workerId)
      return undefined
    }
    try {
      const decision = await writer.apply(task.jobId, event)
      const run = decision.kind === 'changed' ? find(decision.job, task.taskId)?.run : undefined
      if (run?.phase.kind === 'claimed') {
        this.#takeBacks.noteHanded(task)
        const leaseExpiresAt = this.#onceReceived(worker, claim)
        return { task, leaseExpiresAt, deadlineAt: run.phase.deadlineAt }
      }
      await storage.dropTask(task.taskId)
      return undefined
    } catch (error) {
      this.#takeBacks.noteClaimed(task, workerId)
      throw error
    }
  }

  /** Until when a worker has a task that has reached it: an acknowledgement makes the lease a full one. */
  #onceReceived(worker: WorkerRecord, { leaseExpiresAt }: ClaimedTask): EpochMs {
    return leaseExpiresAt + this.#leaseMs - handOverLease(worker, this.#leaseMs).leaseMs
  }
}
