/** The workers as this orchestrator last saw them: at most about a second old. */
import { isDeepStrictEqual } from 'node:util'
import type { EpochMs } from '../../job/vocabulary.ts'
import type { ReputationStore } from '../../ports/reputation-store.ts'
import type { WorkerStore } from '../../ports/storage.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'

/** What comes back with time makes nobody another worker; only changes of this size are told. */
const NOTICEABLE = 0.002

type Store = Pick<WorkerStore, 'changedWorkers'> & Pick<ReputationStore, 'readReputations'>

/** Told who is new, changed or gone: as it was before, and as it is now. */
type Listener = (
  workerId: string,
  change: { readonly before: WorkerRecord | undefined; readonly now: WorkerRecord | undefined },
) => void

export class Roster {
  readonly #store: Store
  readonly #workers = new Map<string, WorkerRecord>()
  /** Workers that let a reservation run out, by when they were last heard of then. */
  readonly #missed = new Map<string, EpochMs>()
  /** Those that are known apart from the registry, whose records are older. */
  readonly #reputations = new Map<string, number>()
  /** Workers whose reputation was asked for. */
  readonly #rated = new Set<string>()
  readonly #listeners = new Set<Listener>()
  #cursor: string | undefined

  constructor(store: Store) {
    this.#store = store
  }

  onChange(listener: Listener): void {
    this.#listeners.add(listener)
  }

  /** Takes in what has changed in the registry, at the price of the changes. */
  async refresh(now: EpochMs): Promise<void> {
    const { workers, removed, cursor } = await this.#store.changedWorkers({
      ...(this.#cursor !== undefined && { since: this.#cursor }),
      now,
    })
    await this.#rate(workers, now)
    this.#cursor = cursor
    for (const worker of workers) this.put(worker)
    for (const workerId of removed) this.remove(workerId)
    for (const worker of this.#workers.values()) {
      if (worker.expiresAt <= now) this.remove(worker.workerId)
    }
  }

  /** Takes in a worker that was perhaps never met here before. */
  async meet(said: WorkerRecord, now: EpochMs): Promise<void> {
    await this.#rate([said], now)
    this.put(said)
  }

  /**
   * Takes in what a worker has just said. A look that was under way may put something older in its
   * place; the next one mends that.
   */
  put(said: WorkerRecord): void {
    const { workerId, lastSeenAt } = said
    const reputation = this.#reputations.get(workerId) ?? said.reputation
    const before = this.#workers.get(workerId)
    const kept = before === undefined ? said : inTheSameWords(said, before)
    const worker = reputation === said.reputation ? kept : { ...kept, reputation }
    this.#workers.set(workerId, worker)
    if ((this.#missed.get(workerId) ?? Infinity) < lastSeenAt) this.#missed.delete(workerId)
    for (const listener of this.#listeners) listener(workerId, { before, now: worker })
  }

  remove(workerId: string): void {
    const before = this.#workers.get(workerId)
    if (before === undefined) return
    this.#workers.delete(workerId)
    this.#missed.delete(workerId)
    this.#reputations.delete(workerId)
    this.#rated.delete(workerId)
    for (const listener of this.#listeners) listener(workerId, { before, now: undefined })
  }

  /** Takes in what is thought of a worker that is there. */
  setReputation(workerId: string, reputation: number): void {
    const worker = this.#workers.get(workerId)
    if (worker === undefined) return
    this.#rated.add(workerId)
    const change = Math.abs(worker.reputation - reputation)
    if (change < NOTICEABLE && (reputation !== 1 || change === 0)) return
    this.#reputations.set(workerId, reputation)
    this.put(worker)
  }

  /** A record has the reputation of its registration, which is not what is thought of the worker now. */
  async #rate(workers: readonly WorkerRecord[], now: EpochMs): Promise<void> {
    const workerIds = workers.map(({ workerId }) => workerId).filter((id) => !this.#rated.has(id))
    if (workerIds.length === 0) return
    const known = await this.#store.readReputations({ workerIds, now })
    for (const { workerId, reputation } of known) this.#reputations.set(workerId, reputation)
    for (const workerId of workerIds) this.#rated.add(workerId)
  }

  find(workerId: string, now: EpochMs): WorkerRecord | undefined {
    const worker = this.#workers.get(workerId)
    return worker !== undefined && worker.expiresAt > now ? worker : undefined
  }

  all(): Iterable<WorkerRecord> {
    return this.#workers.values()
  }

  /** How many there are. */
  count(now: EpochMs): number {
    let live = 0
    for (const { expiresAt } of this.#workers.values()) if (expiresAt > now) live += 1
    return live
  }

  /** A worker did not come for what was reserved for it: it is not waited for until it is heard of. */
  noteMiss(workerId: string): void {
    const worker = this.#workers.get(workerId)
    if (worker !== undefined) this.#missed.set(workerId, worker.lastSeenAt)
  }

  /** A worker asks for tasks: it is there again. */
  noteAsking(workerId: string): void {
    this.#missed.delete(workerId)
  }

  hasMissed(workerId: string): boolean {
    return this.#missed.has(workerId)
  }
}

/**
 * What a worker says again is the object that it was before: what is known of that, such as whom it fits,
 * need not be found out at each sign of life.
 */
function inTheSameWords(said: WorkerRecord, before: WorkerRecord): WorkerRecord {
  const { registration, skills } = before
  return {
    ...said,
    ...(isDeepStrictEqual(said.registration, registration) && { registration }),
    ...(isDeepStrictEqual(said.skills, skills) && { skills }),
  }
}
