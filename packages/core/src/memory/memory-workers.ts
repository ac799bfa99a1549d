/** Registered workers. What a worker holds is the tasks' affair and outlives its record. */
import type { EpochMs } from '../job/vocabulary.ts'
import type { WorkerStore } from '../ports/storage.ts'
import type { WorkerRecord, WorkerUpdate } from '../ports/worker-record.ts'
import type { Synchronous } from './synchronous.ts'

export class MemoryWorkers implements Synchronous<WorkerStore> {
  readonly #workers = new Map<string, WorkerRecord>()

  putWorker(worker: WorkerRecord): void {
    this.#workers.set(worker.workerId, worker)
  }

  updateWorker({ workerId, now, expiresAt, changes }: WorkerUpdate): WorkerRecord | undefined {
    const worker = this.findWorker({ workerId, now })
    if (worker === undefined) return undefined
    const updated: WorkerRecord = { ...worker, ...changes, lastSeenAt: now, expiresAt }
    this.#workers.set(workerId, updated)
    return updated
  }

  findWorker(query: {
    readonly workerId: string
    readonly now: EpochMs
  }): WorkerRecord | undefined {
    const worker = this.#workers.get(query.workerId)
    return worker !== undefined && worker.expiresAt > query.now ? worker : undefined
  }

  /** The live workers; forgets the others, since nothing else would. */
  listWorkers({ now }: { readonly now: EpochMs }): readonly WorkerRecord[] {
    for (const { workerId, expiresAt } of this.#workers.values()) {
      if (expiresAt <= now) this.#workers.delete(workerId)
    }
    return [...this.#workers.values()]
  }

  removeWorker(workerId: string): void {
    this.#workers.delete(workerId)
  }
}
