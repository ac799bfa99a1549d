/** A connection to storage that delays, fails, lies about failure, and dies with its owner. */
import { UnavailableError } from '@avtomatika/protocol'
import type { Clock } from '../../ports/clock.ts'
import type { CommitEntry, CommitOutcome, Storage } from '../../ports/storage.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Journal } from './journal.ts'
import type { Plan } from './plan.ts'

export interface FaultyStorageOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: SeededRandom
  readonly plan: Plan
  readonly journal: Journal
  readonly isFaulty: () => boolean
  /** The owner of the connection is killed; it must not be heard of again. */
  readonly onKill: () => void
}

/** A call that is never answered: its caller is dead. */
const NEVER = new Promise<never>(() => undefined)

export class FaultyConnection {
  readonly #options: FaultyStorageOptions
  readonly #stops: (() => void)[] = []
  #alive = true

  constructor(options: FaultyStorageOptions) {
    this.#options = options
  }

  get isAlive(): boolean {
    return this.#alive
  }

  /** Ends the connection, and with it whoever waits for an answer. */
  kill(): void {
    if (!this.#alive) return
    this.#alive = false
    for (const stop of this.#stops) stop()
    this.#options.onKill()
  }

  /** The storage as the owner of this connection sees it. */
  open(): Storage {
    const { storage, journal } = this.#options
    const call = this.#call.bind(this)
    return {
      commit: (entries) => call(() => this.#commit(storage, journal, entries)),
      findJob: (id) => call(() => storage.findJob(id)),
      findCreated: (query) => call(() => storage.findCreated(query)),
      listQuarantined: (query) => call(() => storage.listQuarantined(query)),
      listJobsOnOffer: (query) => call(() => storage.listJobsOnOffer(query)),
      removeEndedJobs: (query) => call(() => storage.removeEndedJobs(query)),
      claimQuietJobs: (claim) => call(() => storage.claimQuietJobs(claim)),
      findMissing: (reasons, before) => call(() => storage.findMissing(reasons, before)),
      claimSteps: (claim) => call(() => storage.claimSteps(claim)),
      renewStep: (lease) => call(() => storage.renewStep(lease)),
      releaseStep: (step) => call(() => storage.releaseStep(step)),
      dropStep: (id) => call(() => storage.dropStep(id)),
      countSteps: () => call(() => storage.countSteps()),
      listTaskClasses: () => call(() => storage.listTaskClasses()),
      claimTasks: (claim) => call(() => storage.claimTasks(claim)),
      endReservations: (query) => call(() => storage.endReservations(query)),
      renewTasks: (renewal) => call(() => storage.renewTasks(renewal)),
      claimLostTasks: (claim) => call(() => storage.claimLostTasks(claim)),
      loseTasksOf: (worker) => call(() => storage.loseTasksOf(worker)),
      dropTask: (id) => call(() => storage.dropTask(id)),
      countOfferedTasks: () => call(() => storage.countOfferedTasks()),
      claimDueDeadlines: (claim) => call(() => storage.claimDueDeadlines(claim)),
      dropDeadline: (deadline) => call(() => storage.dropDeadline(deadline)),
      nextDueAt: () => call(() => storage.nextDueAt()),
      putWorker: (worker) => call(() => storage.putWorker(worker)),
      updateWorker: (update) => call(() => storage.updateWorker(update)),
      findWorker: (query) => call(() => storage.findWorker(query)),
      listWorkers: (query) => call(() => storage.listWorkers(query)),
      removeWorker: (id) => call(() => storage.removeWorker(id)),
      changedWorkers: (query) => call(() => storage.changedWorkers(query)),
      rateWorkers: (query) => call(() => storage.rateWorkers(query)),
      readReputations: (query) => call(() => storage.readReputations(query)),
      claimRecords: (claim) => call(() => storage.claimRecords(claim)),
      ackRecords: (ids) => call(() => storage.ackRecords(ids)),
      countRecords: () => call(() => storage.countRecords()),
      oldestRecordAt: () => call(() => storage.oldestRecordAt()),
      dropOldestRecords: (limit) => call(() => storage.dropOldestRecords(limit)),
      claimMessages: (claim) => call(() => storage.claimMessages(claim)),
      ackMessages: (ids) => call(() => storage.ackMessages(ids)),
      acquireLock: (claim) => call(() => storage.acquireLock(claim)),
      renewLock: (renewal) => call(() => storage.renewLock(renewal)),
      releaseLock: (grant) => call(() => storage.releaseLock(grant)),
      hit: (hit) => call(() => storage.hit(hit)),
      takeQuota: (take) => call(() => storage.takeQuota(take)),
      readQuota: (quota) => call(() => storage.readQuota(quota)),
      giveBackQuota: (quota) => call(() => storage.giveBackQuota(quota)),
      issueTokens: (issue) => call(() => storage.issueTokens(issue)),
      findAccessToken: (query) => call(() => storage.findAccessToken(query)),
      rotateTokens: (rotation) => call(() => storage.rotateTokens(rotation)),
      endTokenFamily: (family) => call(() => storage.endTokenFamily(family)),
      onHint: (listener) => this.#onHint(storage, listener),
      tell: (hints) => call(() => storage.tell(hints)),
      ping: () => call(() => storage.ping()),
      close: () => Promise.resolve(),
    }
  }

  async #commit(
    storage: Storage,
    journal: Journal,
    entries: readonly CommitEntry[],
  ): Promise<readonly CommitOutcome[]> {
    const outcomes = await storage.commit(entries)
    journal.observe(entries, outcomes)
    return outcomes
  }

  #onHint(storage: Storage, listener: Parameters<Storage['onHint']>[0]): () => void {
    const { random, plan, isFaulty } = this.#options
    const stop = storage.onHint((hint) => {
      // A hint is only a hint: the world must go on without it.
      if (this.#alive && !(isFaulty() && random.chance(plan.lossRate))) listener(hint)
    })
    this.#stops.push(stop)
    return stop
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    const { random, plan, isFaulty } = this.#options
    if (!this.#alive) return NEVER
    if (!isFaulty()) return work()
    await this.#delay()
    if (this.#killed()) return NEVER
    if (random.chance(plan.errorRate / 2)) throw away()
    const result = await work()
    await this.#delay()
    if (this.#killed()) return NEVER
    if (random.chance(plan.errorRate / 2)) throw away()
    return result
  }

  #killed(): boolean {
    const { random, plan } = this.#options
    if (random.chance(plan.killRate)) this.kill()
    return !this.#alive
  }

  async #delay(): Promise<void> {
    const { random, plan, clock } = this.#options
    if (plan.maxDelayMs === 0 || random.chance(0.5)) return
    const ms = random.between(1, plan.maxDelayMs)
    await new Promise<void>((resolve) => {
      clock.after(ms, resolve)
    })
  }
}

function away(): UnavailableError {
  return new UnavailableError('STORAGE_UNAVAILABLE', { message: 'The storage is away.' })
}
