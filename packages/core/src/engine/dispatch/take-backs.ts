/**
 * Takes tasks back that never reached their worker, so that they are offered again at once and at the
 * price of no retry (W8). What the store does not take now is tried again until it does: the lease of a
 * worker that lists no tasks would be renewed for as long as that worker lives.
 */
import type { OfferedTask } from '../../job/effect.ts'
import type { EngineParts } from '../engine-parts.ts'

interface TakeBack {
  readonly task: OfferedTask
  readonly workerId: string
  /** The worker has it in the store, and the job may not know. */
  readonly isClaimed: boolean
}

export class TakeBacks {
  readonly #parts: Pick<EngineParts, 'clock' | 'log' | 'storage' | 'writer'>
  /** Tasks that a worker may have been given without its knowing. */
  readonly #due = new Map<string, TakeBack>()

  constructor(parts: Pick<EngineParts, 'clock' | 'log' | 'storage' | 'writer'>) {
    this.#parts = parts
  }

  /** Offers a task again. Never rejects: a store that is away is asked again by {@link retry}. */
  async take(task: OfferedTask, workerId: string): Promise<void> {
    await this.#try({ task, workerId, isClaimed: false })
  }

  /** Offers a task again that a worker has claimed in the store, and does not take. Never rejects. */
  async refuse(task: OfferedTask, workerId: string): Promise<void> {
    await this.#try({ task, workerId, isClaimed: true })
  }

  /** A write that hands over a task was not answered: it is taken back as soon as the store answers. */
  noteUncertain(task: OfferedTask, workerId: string): void {
    this.#due.set(task.taskId, { task, workerId, isClaimed: false })
  }

  /** A worker has claimed a task in the store, and its job could not be told. */
  noteClaimed(task: OfferedTask, workerId: string): void {
    this.#due.set(task.taskId, { task, workerId, isClaimed: true })
  }

  /** The task has reached a worker after all. */
  noteHanded({ taskId }: OfferedTask): void {
    this.#due.delete(taskId)
  }

  /** Tries again what could not be taken back. Never rejects. */
  async retry(): Promise<void> {
    // As it is now: what fails is put back, and would be met again and again.
    for (const [taskId, takeBack] of [...this.#due]) {
      this.#due.delete(taskId)
      if (!(await this.#try(takeBack))) return
    }
  }

  async #try(takeBack: TakeBack): Promise<boolean> {
    try {
      await this.#apply(takeBack)
      return true
    } catch (error) {
      const { jobId, taskId } = takeBack.task
      this.#due.set(taskId, takeBack)
      const what = { err: error, jobId, taskId, workerId: takeBack.workerId }
      this.#parts.log.warn(what, 'a task could not be taken back from a worker; trying again')
      return false
    }
  }

  async #apply({ task: { jobId, taskId }, workerId, isClaimed }: TakeBack): Promise<void> {
    const { clock, storage, writer } = this.#parts
    // Only what was claimed can be handed back.
    if (isClaimed) {
      await writer.apply(jobId, { kind: 'task_claimed', at: clock.now(), taskId, workerId })
    }
    const outcome = { kind: 'handed_back' } as const
    const event = { kind: 'task_result', at: clock.now(), taskId, workerId, outcome } as const
    const { kind } = await writer.apply(jobId, { ...event, chance: 0 })
    // Its job wants it no more: the worker's place is free.
    if (isClaimed && kind !== 'changed') await storage.dropTask(taskId)
  }
}
