/** How a worker of a background queue ends. */
import { systemClock } from '@avtomatika/core'
import type { Worker } from 'bullmq'

/** What a worker is busy with at the moment. */
export class InProgress {
  readonly #all = new Set<Promise<unknown>>()

  /** Counts it until it is done, however it ends. */
  async track<T>(work: Promise<T>): Promise<T> {
    this.#all.add(work)
    try {
      return await work
    } finally {
      this.#all.delete(work)
    }
  }

  async idle(): Promise<void> {
    await Promise.allSettled(this.#all)
  }
}

export interface WorkerEnd {
  readonly inProgress: InProgress
  /** Whether Redis answers: else a worker cannot say goodbye, and ends with its connections. */
  readonly isConnected: boolean
  /** How long to wait at most, in ms. `Infinity`: for as long as it takes. */
  readonly withinMs: number
}

/** How long a worker may take to say goodbye when its work is done: Redis may hear us and not answer. */
const GOODBYE_MS = 1_000

/** Makes a worker take nothing more, and waits until what it is busy with is done. Never rejects. */
export async function endWorker(
  worker: Pick<Worker, 'close'>,
  { inProgress, isConnected, withinMs }: WorkerEnd,
): Promise<void> {
  const timers = new Set<() => void>()
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      if (ms !== Infinity) timers.add(systemClock.after(ms, resolve))
    })
  const closed = worker.close()
  const idle = inProgress.idle().then(() => pause(isConnected ? GOODBYE_MS : 0))
  await Promise.race([closed, idle, pause(withinMs)])
  for (const cancel of timers) cancel()
}
