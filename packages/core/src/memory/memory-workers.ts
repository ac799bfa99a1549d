/** Registered workers. What a worker holds is the tasks' affair and outlives its record. */
import type { EpochMs } from '../job/vocabulary.ts'
import type { WorkerChanges, WorkerStore } from '../ports/storage.ts'
import type { WorkerRecord, WorkerUpdate } from '../ports/worker-record.ts'
import type { Synchronous } from './synchronous.ts'

const REMEMBERED_REMOVALS = 1_000

export class MemoryWorkers implements Synchronous<WorkerStore> {
  readonly #workers = new Map<string, WorkerRecord>()
  /** Who changed when, by the number of the change; the latest stand at the end. */
  readonly #changes = new Map<string, number>()
  #changesMade = 0

  /** Workers that are kept in mind. */
  get size(): number {
    return this.#workers.size
  }

  putWorker(worker: WorkerRecord): void {
    this.#workers.set(worker.workerId, worker)
    this.#note(worker.workerId)
  }

  updateWorker({ workerId, now, expiresAt, changes }: WorkerUpdate): WorkerRecord | undefined {
    const worker = this.findWorker({ workerId, now })
    if (worker === undefined) return undefined
    const updated: WorkerRecord = { ...worker, ...changes, lastSeenAt: now, expiresAt }
    this.putWorker(updated)
    return updated
  }

  findWorker(query: {
    readonly workerId: string
    readonly now: EpochMs
  }): WorkerRecord | undefined {
    const worker = this.#workers.get(query.workerId)
    return worker !== undefined && worker.expiresAt > query.now ? worker : undefined
  }

  /** The live workers; forgets the others. */
  listWorkers({ now }: { readonly now: EpochMs }): readonly WorkerRecord[] {
    for (const { workerId, expiresAt } of this.#workers.values()) {
      if (expiresAt > now) continue
      this.#workers.delete(workerId)
      this.#changes.delete(workerId)
    }
    return [...this.#workers.values()]
  }

  removeWorker(workerId: string): void {
    if (this.#workers.delete(workerId)) this.#note(workerId)
  }

  changedWorkers({ since, now }: Parameters<WorkerStore['changedWorkers']>[0]): WorkerChanges {
    this.#forgetExpired(now)
    const known = Number(since ?? 0)
    const ids: string[] = []
    for (const [workerId, change] of [...this.#changes].reverse()) {
      if (change <= known) break
      ids.push(workerId)
    }
    const workers = ids.map((workerId) => this.findWorker({ workerId, now }))
    return {
      workers: workers.filter((worker) => worker !== undefined),
      removed: since === undefined ? [] : ids.filter((id) => !this.#workers.has(id)),
      cursor: String(this.#changesMade),
    }
  }

  /** Who has been silent longest stands first, so this costs as much as there is to forget. */
  #forgetExpired(now: EpochMs): void {
    for (const workerId of this.#changes.keys()) {
      const worker = this.#workers.get(workerId)
      if (worker === undefined) continue
      if (worker.expiresAt > now) return
      this.#workers.delete(workerId)
      this.#changes.delete(workerId)
    }
  }

  #note(workerId: string): void {
    this.#changesMade += 1
    this.#changes.delete(workerId)
    this.#changes.set(workerId, this.#changesMade)
    if (this.#changes.size > 2 * this.#workers.size + REMEMBERED_REMOVALS) this.#forgetRemoved()
  }

  /** Whoever has not looked since keeps a removed worker until it expires. */
  #forgetRemoved(): void {
    for (const workerId of this.#changes.keys()) {
      if (!this.#workers.has(workerId)) this.#changes.delete(workerId)
    }
  }
}
