/**
 * Tasks that workers are to stop working on, as every orchestrator hears of them. They reach a worker at
 * once where it has a connection, and with the answer to its next poll wherever that is; who hears of
 * none of it is told by its next heartbeat.
 */
import type { EpochMs } from '../../job/vocabulary.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Withdrawal } from '../../ports/hint.ts'

/** By then the worker has said what it works on, and was told what is not wanted. */
const KEPT_MS = 60_000
const MAX_KEPT = 10_000

export interface WithdrawalsOptions {
  readonly clock: Clock
  /** Whether the polls of a worker can bring it word. */
  readonly isToldByPoll: (workerId: string) => boolean
}

/** What a poll may bring its worker beside tasks. */
export interface ExpectedWithdrawals {
  /** Aborted as soon as there is something to tell. */
  readonly signal: AbortSignal
  /** Ends the wait; answers the tasks to abort, which are told once. */
  readonly take: () => readonly string[]
  /** Ends the wait; what there is to tell is kept for the next poll. */
  readonly leave: () => void
}

export class Withdrawals {
  readonly #options: WithdrawalsOptions
  readonly #untold = new Map<string, { readonly withdrawal: Withdrawal; readonly at: EpochMs }>()
  readonly #waiting = new Map<string, Set<AbortController>>()
  readonly #listeners = new Set<(withdrawal: Withdrawal) => void>()

  constructor(options: WithdrawalsOptions) {
    this.#options = options
  }

  /** Calls back for each task that a worker is to stop working on. Returns the way to stop. */
  onWithdrawn(listener: (withdrawal: Withdrawal) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** A task was withdrawn from its worker, by whatever orchestrator. */
  note(withdrawal: Withdrawal): void {
    for (const listener of this.#listeners) listener(withdrawal)
    const { workerId, taskId } = withdrawal
    if (!this.#options.isToldByPoll(workerId)) return
    this.#dropOld()
    this.#untold.set(taskId, { withdrawal, at: this.#options.clock.now() })
    for (const controller of this.#waiting.get(workerId) ?? []) controller.abort()
  }

  /** A poll of a worker begins to wait. */
  expect(workerId: string): ExpectedWithdrawals {
    const controller = new AbortController()
    const ofWorker = this.#waiting.get(workerId) ?? new Set()
    this.#waiting.set(workerId, ofWorker.add(controller))
    this.#dropOld()
    if (this.#untoldTo(workerId).length > 0) controller.abort()
    const leave = (): void => {
      ofWorker.delete(controller)
      if (ofWorker.size === 0 && this.#waiting.get(workerId) === ofWorker) {
        this.#waiting.delete(workerId)
      }
    }
    const take = (): readonly string[] => {
      leave()
      const taskIds = this.#untoldTo(workerId)
      for (const taskId of taskIds) this.#untold.delete(taskId)
      return taskIds
    }
    return { signal: controller.signal, take, leave }
  }

  #untoldTo(workerId: string): readonly string[] {
    return [...this.#untold.values()]
      .filter(({ withdrawal }) => withdrawal.workerId === workerId)
      .map(({ withdrawal }) => withdrawal.taskId)
  }

  /** The oldest stand first. */
  #dropOld(): void {
    const keptSince = this.#options.clock.now() - KEPT_MS
    for (const [taskId, { at }] of this.#untold) {
      if (at > keptSince && this.#untold.size < MAX_KEPT) return
      this.#untold.delete(taskId)
    }
  }
}
