/**
 * The store that several orchestrators share.
 *
 * Every call is one script, and Redis runs one script at a time: that is what S1, S2 and S4 rest on.
 * All keys of a partition have one hash tag, so that they live in one slot of a cluster.
 */
import { ConfigError } from '@avtomatika/protocol'
import type { Clock, EpochMs, Hint, Storage } from '@avtomatika/core'
import type { Answer, Call } from './call.ts'
import { checkServer } from './check-server.ts'
import { reasonOf } from './connection-error.ts'
import { redisOptions, type RedisConnectionOptions } from './connection-options.ts'
import type { ConnectionLog } from './connection.ts'
import { HintChannel } from './hint-channel.ts'
import { RedisLink, type WhenAway } from './link.ts'
import { RedisClock } from './redis-clock.ts'
import { RedisJobs } from './redis-jobs.ts'
import { RedisLimits } from './redis-limits.ts'
import { RedisQueues } from './redis-queues.ts'
import { RedisReputations } from './redis-reputations.ts'
import { RedisTasks } from './redis-tasks.ts'
import { RedisTokens } from './redis-tokens.ts'
import { RedisWorkers } from './redis-workers.ts'
import { unavailable } from './script-runner.ts'
import { RedisSession } from './session.ts'

/** Where Redis is, and how the store uses it. */
export type RedisStorageOptions = RedisConnectionOptions & StorageSettings

interface StorageSettings {
  /** Before all keys. Default `avt`. */
  readonly prefix?: string
  /** Told of what should be otherwise, and of connections that broke and came back. Default: nobody. */
  readonly log?: ConnectionLog
  /**
   * What to do about a Redis that is not there yet: reject, or go on trying and refuse every call until
   * then. Default `reject`.
   */
  readonly whenAway?: WhenAway
}

/** Storage in Redis 6.2 or newer, or Valkey. */
export class RedisStorage implements Storage {
  /**
   * Resolves when Redis has been reached and will do; with `reject`, that is when `open` resolves.
   * Rejects with a ConfigError `CONFIG_INVALID` for a Redis that is older than 6.2; whoever does not wait
   * for it finds every call refused.
   */
  readonly ready: Promise<void>
  readonly #link: RedisLink
  readonly #session: RedisSession
  readonly #hints: HintChannel
  readonly #clock: RedisClock
  readonly #jobs: RedisJobs
  readonly #queues: RedisQueues
  readonly #tasks: RedisTasks
  readonly #workers: RedisWorkers
  readonly #reputations: RedisReputations
  readonly #limits: RedisLimits
  readonly #tokens: RedisTokens
  #isClosed = false

  private constructor(options: RedisStorageOptions) {
    const { prefix = 'avt', whenAway = 'reject', log } = options
    const keys = `${prefix}:{0}:`
    const connection = redisOptions(options)
    // Channels, unlike keys, are the same in all databases of a server.
    const channel = `${keys}hints:${connection.db ?? 0}`
    this.#link = new RedisLink({
      options: connection,
      channel,
      whenAway,
      log,
      onReached: () => this.#reached(log),
      onBack: () => this.#back(log),
    })
    const { redis, subscriber } = this.#link
    this.#session = new RedisSession({ redis, keys })
    this.#hints = new HintChannel({ session: this.#session, name: channel, subscriber, log })
    this.#clock = new RedisClock(redis, log)
    this.#jobs = new RedisJobs(this.#session, this.#hints)
    this.#queues = new RedisQueues(this.#session, this.#hints)
    this.#tasks = new RedisTasks(this.#session, this.#hints)
    this.#workers = new RedisWorkers(this.#session)
    this.#reputations = new RedisReputations(this.#session)
    this.#limits = new RedisLimits(this.#session)
    this.#tokens = new RedisTokens(this.#session)
    this.ready = this.#link.open().catch((error: unknown) => {
      throw ConfigError.is(error) ? error : unavailable(error)
    })
    // Whoever waits is told; others need not.
    this.ready.catch(() => undefined)
  }

  /**
   * Connects; with `retry`, that goes on after it has resolved (see {@link RedisStorage.ready}).
   * @throws UnavailableError `STORAGE_UNAVAILABLE` when there is no Redis at the address, with `reject`.
   * @throws ConfigError `CONFIG_INVALID` for options that cannot be used, and, with `reject`, for a Redis
   *   that is older than 6.2.
   */
  static async open(options: RedisStorageOptions): Promise<RedisStorage> {
    const storage = new RedisStorage(options)
    if (options.whenAway === 'retry') return storage
    try {
      await storage.ready
    } catch (error) {
      await storage.close()
      throw error
    }
    return storage
  }

  /** Tells the server's time, so that orchestrators on hosts whose clocks disagree agree. */
  get clock(): Clock {
    return this.#clock
  }

  commit(entries: Call<'commit'>): Answer<'commit'> {
    return this.#jobs.commit(entries)
  }

  findJob(jobId: Call<'findJob'>): Answer<'findJob'> {
    return this.#jobs.findJob(jobId)
  }

  findCreated(query: Call<'findCreated'>): Answer<'findCreated'> {
    return this.#jobs.findCreated(query)
  }

  listQuarantined(query: Call<'listQuarantined'>): Answer<'listQuarantined'> {
    return this.#jobs.listQuarantined(query)
  }

  listJobsOnOffer(query: Call<'listJobsOnOffer'>): Answer<'listJobsOnOffer'> {
    return this.#tasks.listJobsOnOffer(query)
  }

  removeEndedJobs(query: Call<'removeEndedJobs'>): Answer<'removeEndedJobs'> {
    return this.#jobs.removeEndedJobs(query)
  }

  claimQuietJobs(claim: Call<'claimQuietJobs'>): Answer<'claimQuietJobs'> {
    return this.#jobs.claimQuietJobs(claim)
  }

  findMissing(reasons: Call<'findMissing'>, givenBefore: EpochMs): Answer<'findMissing'> {
    return this.#jobs.findMissing(reasons, givenBefore)
  }

  claimSteps(claim: Call<'claimSteps'>): Answer<'claimSteps'> {
    return this.#queues.claimSteps(claim)
  }

  renewStep(lease: Call<'renewStep'>): Answer<'renewStep'> {
    return this.#queues.renewStep(lease)
  }

  releaseStep(step: Call<'releaseStep'>): Answer<'releaseStep'> {
    return this.#queues.releaseStep(step)
  }

  dropStep(stepId: Call<'dropStep'>): Answer<'dropStep'> {
    return this.#queues.dropStep(stepId)
  }

  countSteps(): Answer<'countSteps'> {
    return this.#queues.countSteps()
  }

  listTaskClasses(): Answer<'listTaskClasses'> {
    return this.#tasks.listTaskClasses()
  }

  claimTasks(claim: Call<'claimTasks'>): Answer<'claimTasks'> {
    return this.#tasks.claimTasks(claim)
  }

  endReservations(query: Call<'endReservations'>): Answer<'endReservations'> {
    return this.#tasks.endReservations(query)
  }

  renewTasks(renewal: Call<'renewTasks'>): Answer<'renewTasks'> {
    return this.#tasks.renewTasks(renewal)
  }

  claimLostTasks(claim: Call<'claimLostTasks'>): Answer<'claimLostTasks'> {
    return this.#tasks.claimLostTasks(claim)
  }

  loseTasksOf(worker: Call<'loseTasksOf'>): Answer<'loseTasksOf'> {
    return this.#tasks.loseTasksOf(worker)
  }

  dropTask(taskId: Call<'dropTask'>): Answer<'dropTask'> {
    return this.#tasks.dropTask(taskId)
  }

  countOfferedTasks(): Answer<'countOfferedTasks'> {
    return this.#tasks.countOfferedTasks()
  }

  claimDueDeadlines(claim: Call<'claimDueDeadlines'>): Answer<'claimDueDeadlines'> {
    return this.#queues.claimDueDeadlines(claim)
  }

  dropDeadline(deadline: Call<'dropDeadline'>): Answer<'dropDeadline'> {
    return this.#queues.dropDeadline(deadline)
  }

  nextDueAt(): Answer<'nextDueAt'> {
    return this.#queues.nextDueAt()
  }

  putWorker(worker: Call<'putWorker'>): Answer<'putWorker'> {
    return this.#workers.putWorker(worker)
  }

  updateWorker(update: Call<'updateWorker'>): Answer<'updateWorker'> {
    return this.#workers.updateWorker(update)
  }

  findWorker(query: Call<'findWorker'>): Answer<'findWorker'> {
    return this.#workers.findWorker(query)
  }

  listWorkers(query: Call<'listWorkers'>): Answer<'listWorkers'> {
    return this.#workers.listWorkers(query)
  }

  removeWorker(workerId: Call<'removeWorker'>): Answer<'removeWorker'> {
    return this.#workers.removeWorker(workerId)
  }

  changedWorkers(query: Call<'changedWorkers'>): Answer<'changedWorkers'> {
    return this.#workers.changedWorkers(query)
  }

  rateWorkers(query: Call<'rateWorkers'>): Answer<'rateWorkers'> {
    return this.#reputations.rateWorkers(query)
  }

  readReputations(query: Call<'readReputations'>): Answer<'readReputations'> {
    return this.#reputations.readReputations(query)
  }

  claimRecords(claim: Call<'claimRecords'>): Answer<'claimRecords'> {
    return this.#queues.claimRecords(claim)
  }

  ackRecords(eventIds: Call<'ackRecords'>): Answer<'ackRecords'> {
    return this.#queues.ackRecords(eventIds)
  }

  countRecords(): Answer<'countRecords'> {
    return this.#queues.countRecords()
  }

  oldestRecordAt(): Answer<'oldestRecordAt'> {
    return this.#queues.oldestRecordAt()
  }

  dropOldestRecords(limit: Call<'dropOldestRecords'>): Answer<'dropOldestRecords'> {
    return this.#queues.dropOldestRecords(limit)
  }

  claimMessages(claim: Call<'claimMessages'>): Answer<'claimMessages'> {
    return this.#queues.claimMessages(claim)
  }

  ackMessages(messageIds: Call<'ackMessages'>): Answer<'ackMessages'> {
    return this.#queues.ackMessages(messageIds)
  }

  acquireLock(claim: Call<'acquireLock'>): Answer<'acquireLock'> {
    return this.#limits.acquireLock(claim)
  }

  renewLock(renewal: Call<'renewLock'>): Answer<'renewLock'> {
    return this.#limits.renewLock(renewal)
  }

  releaseLock(lock: Call<'releaseLock'>): Answer<'releaseLock'> {
    return this.#limits.releaseLock(lock)
  }

  hit(hit: Call<'hit'>): Answer<'hit'> {
    return this.#limits.hit(hit)
  }

  takeQuota(quota: Call<'takeQuota'>): Answer<'takeQuota'> {
    return this.#limits.takeQuota(quota)
  }

  readQuota(quota: Call<'readQuota'>): Answer<'readQuota'> {
    return this.#limits.readQuota(quota)
  }

  giveBackQuota(quota: Call<'giveBackQuota'>): Answer<'giveBackQuota'> {
    return this.#limits.giveBackQuota(quota)
  }

  issueTokens(issue: Call<'issueTokens'>): Answer<'issueTokens'> {
    return this.#tokens.issueTokens(issue)
  }

  findAccessToken(query: Call<'findAccessToken'>): Answer<'findAccessToken'> {
    return this.#tokens.findAccessToken(query)
  }

  rotateTokens(rotation: Call<'rotateTokens'>): Answer<'rotateTokens'> {
    return this.#tokens.rotateTokens(rotation)
  }

  endTokenFamily(family: Call<'endTokenFamily'>): Answer<'endTokenFamily'> {
    return this.#tokens.endTokenFamily(family)
  }

  /** @throws UnavailableError `STORAGE_CLOSED` after `close`. */
  onHint(listener: Call<'onHint'>): () => void {
    this.#session.assertNotClosed()
    return this.#hints.listen(listener)
  }

  tell(hints: Call<'tell'>): Promise<void> {
    return this.#hints.tellInOrder(hints)
  }

  async ping(): Promise<void> {
    await this.#session.ask((redis) => redis.ping())
  }

  /** Ends both connections; a second call does nothing. */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#isClosed = true
    this.#clock.stop()
    this.#hints.close()
    this.#session.close()
    this.#link.close()
    return Promise.resolve()
  }

  async #reached(log?: ConnectionLog): Promise<void> {
    await checkServer(this.#link.redis, log)
    // Before the first call: it says what time it is.
    await this.#clock.start()
    this.#session.open()
  }

  /** Whoever waits for hints is to look: some may have gone unheard. */
  #back(log?: ConnectionLog): void {
    const back = async (): Promise<void> => {
      await this.#clock.start()
      const tasks = (await this.listTaskClasses()).map(
        (each) => ({ kind: 'task', ...each }) as const,
      )
      const loops = (['step', 'record', 'message'] as const).map((kind): Hint => ({ kind }))
      const tokens: Hint = { kind: 'worker_tokens', from: '' }
      const due: Hint = { kind: 'deadline', at: this.#clock.now() }
      this.#hints.tellHere([due, ...loops, ...tasks, tokens])
    }
    back().catch((error: unknown) => {
      log?.debug({ reason: reasonOf(error) }, 'Redis is back, and gone again')
    })
  }
}
