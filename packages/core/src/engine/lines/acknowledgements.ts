/**
 * The second phase of a hand-over, for workers that say that they have got a task: one that is not
 * acknowledged in time never reached its worker, and is offered again at the price of no retry (W8).
 *
 * Only the orchestrator that handed a task over waits for its acknowledgement. If that one dies, the lease
 * runs out a little later, which is as short until the acknowledgement; see `handOverLease`.
 */
import type { OfferedTask } from '../../job/effect.ts'
import type { EngineParts } from '../engine-parts.ts'
import { ACKNOWLEDGE_MS } from '../settings.ts'
import type { HandedTask } from '../dispatch/handed-task.ts'
import type { TakeBacks } from '../dispatch/take-backs.ts'

const ASK_AGAIN_MS = 1_000

export class Acknowledgements {
  readonly #parts: Pick<EngineParts, 'storage' | 'clock' | 'log'>
  readonly #takeBacks: Pick<TakeBacks, 'take'>
  /** Ends the wait for a task. */
  readonly #awaited = new Map<string, () => void>()
  readonly #checks = new Set<Promise<void>>()

  constructor(
    parts: Pick<EngineParts, 'storage' | 'clock' | 'log'>,
    takeBacks: Pick<TakeBacks, 'take'>,
  ) {
    this.#parts = parts
    this.#takeBacks = takeBacks
  }

  /** A worker is being given tasks, and will say that it has got them. */
  expect(tasks: readonly HandedTask[], workerId: string): void {
    for (const { task } of tasks) this.#wait(task, workerId, ACKNOWLEDGE_MS)
  }

  /** Workers have got these tasks. Answers those that this orchestrator did not wait for. */
  note(taskIds: readonly string[]): readonly string[] {
    return taskIds.filter((taskId) => {
      const cancel = this.#awaited.get(taskId)
      cancel?.()
      this.#awaited.delete(taskId)
      return cancel === undefined
    })
  }

  /** Waits no more; resolves when what is being taken back is. */
  async stop(): Promise<void> {
    for (const cancel of this.#awaited.values()) cancel()
    this.#awaited.clear()
    await Promise.all(this.#checks)
  }

  #wait(task: OfferedTask, workerId: string, ms: number): void {
    const cancel = this.#parts.clock.after(ms, () => {
      this.#awaited.delete(task.taskId)
      const check = this.#check(task, workerId)
      this.#checks.add(check)
      void check.finally(() => this.#checks.delete(check))
    })
    this.#awaited.set(task.taskId, cancel)
  }

  /** Never rejects. */
  async #check(task: OfferedTask, workerId: string): Promise<void> {
    const { storage, clock, log } = this.#parts
    const { jobId, taskId } = task
    try {
      // It may have told another orchestrator, whose word was lost on the way here.
      const worker = await storage.findWorker({ workerId, now: clock.now() })
      if (worker?.currentTasks.includes(taskId) === true) return
      log.warn({ jobId, taskId, workerId }, 'a task was not acknowledged; it is offered again')
      await this.#takeBacks.take(task, workerId)
    } catch (error) {
      log.warn({ err: error, taskId, workerId }, 'an acknowledgement could not be looked up')
      this.#wait(task, workerId, ASK_AGAIN_MS)
    }
  }
}
