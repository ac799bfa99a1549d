/**
 * The store that several orchestrators share.
 *
 * Every call is one script, and Redis runs one script at a time: that is what S1, S2 and S4 rest on.
 * All keys of a partition have one hash tag, so that they live in one slot of a cluster.
 */
import { randomUUID } from 'node:crypto'
import { ConfigError, UnavailableError } from '@avtomatika/protocol'
import type {
  ClaimedTask,
  Clock,
  CommitOutcome,
  DeadlineKey,
  Hint,
  HistoryRecord,
  Job,
  JobMessage,
  Log as EngineLog,
  OfferedTask,
  Storage,
  TaskDemand,
  WorkerRecord,
} from '@avtomatika/core'
import { Redis } from 'ioredis'
import { decode, encode } from './codec.ts'
import { checkServer } from './check-server.ts'
import { RedisClock } from './redis-clock.ts'
import { commitPlan, deadlineId } from './commit-plan.ts'
import { hintsOf } from './hints.ts'
import { buffers, number, pairs, texts } from './reply.ts'
import {
  ScriptRunner,
  unavailable,
  type Argument,
  type Reply,
  type Script,
} from './script-runner.ts'
import { SCRIPTS } from './scripts.ts'

export interface RedisStorageOptions {
  /** For example `redis://localhost:6379/0`; `rediss://` for TLS. */
  readonly url: string
  /** Before all keys. Default `avt`. */
  readonly prefix?: string
  /** How long ended jobs can be read, in ms. Default 604 800 000 (7 days). */
  readonly retainMs?: number
  /** Told of what should be otherwise, and of a connection that broke. Default: nobody. */
  readonly log?: Log
}

type Log = Pick<EngineLog, 'warn'>

const DAY_MS = 86_400_000
/** Each try means that another orchestrator changed the same worker in between. */
const MAX_TRIES = 20
/** An answer that takes longer counts as lost; whoever asked tries again. */
const COMMAND_TIMEOUT_MS = 5_000

/**
 * What was sent when the connection broke is not sent again by itself: it may have been done, and the
 * engine decides anew from what is stored.
 */
const CONNECTION = {
  lazyConnect: true,
  maxRetriesPerRequest: 1,
  autoResendUnfulfilledCommands: false,
} as const

type Call<Name extends keyof Storage> = Storage[Name] extends (...args: infer A) => unknown
  ? A[0]
  : never

/** Storage in Redis 6.2 or newer, or Valkey. */
export class RedisStorage implements Storage {
  readonly #redis: Redis
  readonly #subscriber: Redis
  readonly #runner: ScriptRunner
  readonly #keys: string
  readonly #origin = randomUUID()
  readonly #clock: RedisClock
  readonly #retainMs: number
  readonly #listeners = new Set<{ readonly listener: (hint: Hint) => void }>()
  #isClosed = false

  private constructor({ url, prefix = 'avt', retainMs = 7 * DAY_MS, log }: RedisStorageOptions) {
    const redis = new Redis(url, { ...CONNECTION, commandTimeout: COMMAND_TIMEOUT_MS })
    this.#redis = redis
    this.#subscriber = new Redis(url, CONNECTION)
    this.#keys = `${prefix}:{0}:`
    this.#retainMs = retainMs
    this.#runner = new ScriptRunner(redis, this.#keys)
    this.#clock = new RedisClock(redis, log)
    // Without a listener the process would end by them; each call reports its own failure.
    for (const connection of [redis, this.#subscriber]) {
      connection.on('error', (error: Error) => {
        log?.warn({ err: error }, 'the connection to Redis is broken; trying again')
      })
    }
    this.#subscriber.on('message', (_channel, said) => {
      this.#heard(said)
    })
  }

  /**
   * Connects.
   * @throws UnavailableError `STORAGE_UNAVAILABLE` when there is no Redis at the address.
   * @throws ConfigError `CONFIG_INVALID` for a Redis that is older than 6.2.
   */
  static async open(options: RedisStorageOptions): Promise<RedisStorage> {
    const storage = new RedisStorage(options)
    try {
      await storage.#redis.connect()
      await storage.#subscriber.subscribe(storage.#channel)
      await checkServer(storage.#redis, options.log)
      await storage.#clock.start()
    } catch (error) {
      await storage.close()
      throw ConfigError.is(error) ? error : unavailable(error)
    }
    return storage
  }

  /** Tells the server's time, so that orchestrators on hosts whose clocks disagree agree. */
  get clock(): Clock {
    return this.#clock
  }

  async commit(entries: Call<'commit'>): Promise<readonly CommitOutcome[]> {
    const options = { retainMs: this.#retainMs, origin: this.#origin }
    const { plan, blobs } = commitPlan(entries, options)
    const replies = await this.#run(SCRIPTS.commit, plan, this.#channel, ...blobs)
    const outcomes = (replies as readonly Reply[]).map(outcomeOf)
    entries.forEach((entry, i) => {
      if (outcomes[i]?.kind === 'committed') this.#tellLater(hintsOf(entry))
    })
    return outcomes
  }

  async findJob(jobId: Call<'findJob'>): Promise<Job | undefined> {
    const bytes = await this.#get(`job:${jobId}`)
    return bytes === null ? undefined : decode<Job>(bytes)
  }

  async listQuarantined({ ownerId, limit }: Call<'listQuarantined'>): Promise<readonly Job[]> {
    const key = ownerId === undefined ? 'quarantined' : `quarantined:${ownerId}`
    const ids = await this.#ask((redis) => redis.zrevrange(`${this.#keys}${key}`, 0, limit - 1))
    const jobs = await Promise.all(ids.map((id) => this.findJob(id)))
    return jobs.filter((job) => job !== undefined)
  }

  async claimSteps({ holder, ...claim }: Call<'claimSteps'>): ReturnType<Storage['claimSteps']> {
    const leaseExpiresAt = claim.now + claim.leaseMs
    const claimed = await this.#claim('steps', claim, { holder })
    return claimed.map(([stepId, job]) => ({ stepId, jobId: job.toString(), leaseExpiresAt }))
  }

  async renewStep({ stepId, holder, now, leaseMs }: Call<'renewStep'>): Promise<boolean> {
    return (await this.#run(SCRIPTS.step, 'renew', stepId, holder, now, now + leaseMs)) === 1
  }

  async releaseStep({ stepId, holder }: Call<'releaseStep'>): Promise<boolean> {
    const isReleased = (await this.#run(SCRIPTS.step, 'release', stepId, holder)) === 1
    if (isReleased) await this.#tellAll([{ kind: 'step' }])
    return isReleased
  }

  async dropStep(stepId: Call<'dropStep'>): Promise<void> {
    await this.#run(SCRIPTS.remove, 'steps', stepId)
  }

  async listTaskClasses(): ReturnType<Storage['listTaskClasses']> {
    const demands = await this.#ask((redis) => redis.hgetall(`${this.#keys}classes`))
    return Object.entries(demands).map(([classId, demand]) => ({
      classId,
      demand: JSON.parse(demand) as TaskDemand,
    }))
  }

  async claimTasks(claim: Call<'claimTasks'>): Promise<readonly ClaimedTask[]> {
    const { workerId, classIds, limit, capacity, now, leaseMs } = claim
    const leaseExpiresAt = now + leaseMs
    const args = [workerId, now, leaseExpiresAt, limit, capacity, ...classIds]
    const tasks = buffers(await this.#run(SCRIPTS.claimTasks, ...args))
    return tasks.map((bytes) => ({ task: decode<OfferedTask>(bytes), leaseExpiresAt }))
  }

  async renewTasks(renewal: Call<'renewTasks'>): Promise<readonly string[]> {
    const { workerId, now, leaseMs, missingSince, taskIds } = renewal
    const listed = taskIds === 'all' ? ['all'] : ['list', ...taskIds]
    const args = [workerId, now, now + leaseMs, missingSince ?? '', ...listed]
    const [lost, ...notHeld] = texts(await this.#run(SCRIPTS.renewTasks, ...args))
    if (lost === '1') await this.#tellAll([{ kind: 'deadline', at: now }])
    return notHeld
  }

  async claimLostTasks(claim: Call<'claimLostTasks'>): ReturnType<Storage['claimLostTasks']> {
    const { now, leaseMs, limit } = claim
    const lost = pairs(await this.#run(SCRIPTS.claimLost, now, now + leaseMs, limit))
    return lost.map(([taskId, job]) => ({ taskId, jobId: job.toString() }))
  }

  async loseTasksOf({ workerId, now }: Call<'loseTasksOf'>): Promise<void> {
    const lost = number(await this.#run(SCRIPTS.loseTasks, workerId, now)) ?? 0
    if (lost > 0) await this.#tellAll([{ kind: 'deadline', at: now }])
  }

  async dropTask(taskId: Call<'dropTask'>): Promise<void> {
    await this.#run(SCRIPTS.dropTask, taskId)
  }

  countOfferedTasks(): Promise<number> {
    return this.#ask((redis) => redis.scard(`${this.#keys}offered`))
  }

  async claimDueDeadlines(
    claim: Call<'claimDueDeadlines'>,
  ): ReturnType<Storage['claimDueDeadlines']> {
    const due = await this.#claim('deadlines', claim, { onlyDue: true })
    return due.map(([id, at]) => {
      const [key, jobId] = splitOnce(id, '|')
      return { jobId, key: key as DeadlineKey, at: Number(at.toString()) }
    })
  }

  async dropDeadline({ jobId, key, at }: Call<'dropDeadline'>): Promise<void> {
    await this.#run(SCRIPTS.dropDeadline, deadlineId(jobId, key), String(at))
  }

  async nextDueAt(): Promise<number | undefined> {
    return number(await this.#run(SCRIPTS.nextDue))
  }

  async putWorker(worker: Call<'putWorker'>): Promise<void> {
    await this.#writeWorker(worker, '')
  }

  async updateWorker(update: Call<'updateWorker'>): Promise<WorkerRecord | undefined> {
    const { workerId, now, expiresAt, changes } = update
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const key = `${this.#keys}worker:${workerId}`
      const [version, bytes] = await this.#ask((redis) => redis.hmgetBuffer(key, 'v', 'd'))
      const worker = bytes == null ? undefined : decode<WorkerRecord>(bytes)
      if (worker === undefined || worker.expiresAt <= now) return undefined
      const updated = { ...worker, ...changes, lastSeenAt: now, expiresAt }
      if (await this.#writeWorker(updated, String(version))) return updated
    }
    const message = `Worker ${workerId} is being changed by too many at once; try again.`
    throw new UnavailableError('STORAGE_UNAVAILABLE', { message })
  }

  async findWorker({ workerId, now }: Call<'findWorker'>): Promise<WorkerRecord | undefined> {
    const bytes = await this.#get(`worker:${workerId}`)
    const worker = bytes === null ? undefined : decode<WorkerRecord>(bytes)
    return worker !== undefined && worker.expiresAt > now ? worker : undefined
  }

  async listWorkers({ now }: Call<'listWorkers'>): Promise<readonly WorkerRecord[]> {
    const records = buffers(await this.#run(SCRIPTS.listWorkers, now))
    return records.map((bytes) => decode<WorkerRecord>(bytes))
  }

  async removeWorker(workerId: Call<'removeWorker'>): Promise<void> {
    await this.#ask((redis) =>
      redis
        .multi()
        .del(`${this.#keys}worker:${workerId}`)
        .zrem(`${this.#keys}workers`, workerId)
        .exec(),
    )
  }

  async claimRecords(claim: Call<'claimRecords'>): Promise<readonly HistoryRecord[]> {
    const claimed = await this.#claim('records', claim)
    return claimed.map(([, bytes]) => decode<HistoryRecord>(bytes))
  }

  async ackRecords(eventIds: Call<'ackRecords'>): Promise<void> {
    await this.#run(SCRIPTS.remove, 'records', ...eventIds)
  }

  async claimMessages(claim: Call<'claimMessages'>): Promise<readonly JobMessage[]> {
    const claimed = await this.#claim('messages', claim)
    return claimed.map(([, bytes]) => decode<JobMessage>(bytes))
  }

  async ackMessages(messageIds: Call<'ackMessages'>): Promise<void> {
    await this.#run(SCRIPTS.remove, 'messages', ...messageIds)
  }

  /** @throws UnavailableError `STORAGE_CLOSED` after `close`. */
  onHint(listener: Call<'onHint'>): () => void {
    this.#assertOpen()
    const entry = { listener }
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  async ping(): Promise<void> {
    await this.#ask((redis) => redis.ping())
  }

  /** Ends both connections; a second call does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#clock.stop()
    this.#listeners.clear()
    this.#redis.disconnect()
    this.#subscriber.disconnect()
    await Promise.resolve()
  }

  get #channel(): string {
    return `${this.#keys}hints`
  }

  async #claim(
    queue: string,
    { now, leaseMs, limit }: { now: number; leaseMs: number; limit: number },
    { holder = '', onlyDue = false }: { holder?: string; onlyDue?: boolean } = {},
  ): Promise<readonly (readonly [string, Buffer])[]> {
    const args = [queue, now, now + leaseMs, limit, holder, onlyDue ? '1' : '']
    return pairs(await this.#run(SCRIPTS.claim, ...args))
  }

  async #writeWorker(worker: WorkerRecord, expected: string): Promise<boolean> {
    const args = [worker.workerId, expected, encode(worker), worker.expiresAt]
    return (await this.#run(SCRIPTS.worker, ...args)) === 1
  }

  #get(key: string): Promise<Buffer | null> {
    return this.#ask((redis) => redis.hgetBuffer(`${this.#keys}${key}`, 'd'))
  }

  async #run(script: Script, ...args: readonly Argument[]): Promise<Reply> {
    this.#assertOpen()
    return this.#runner.run(script, ...args)
  }

  async #ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    this.#assertOpen()
    try {
      return await question(this.#redis)
    } catch (error) {
      throw unavailable(error)
    }
  }

  #assertOpen(): void {
    if (!this.#isClosed) return
    const message = 'The storage (Redis) is closed.'
    throw new UnavailableError('STORAGE_CLOSED', { message })
  }

  /** A hint of this process reaches it at once, and the others by way of Redis. */
  async #tellAll(hints: readonly Hint[]): Promise<void> {
    this.#tellLater(hints)
    const said = JSON.stringify({ from: this.#origin, hints })
    await this.#ask((redis) => redis.publish(this.#channel, said))
  }

  #heard(said: string): void {
    const { from, hints } = JSON.parse(said) as { from: string; hints: readonly Hint[] }
    if (from !== this.#origin) this.#tell(hints)
  }

  #tellLater(hints: readonly Hint[]): void {
    queueMicrotask(() => {
      this.#tell(hints)
    })
  }

  #tell(hints: readonly Hint[]): void {
    for (const hint of hints) {
      for (const { listener } of this.#listeners) listener(hint)
    }
  }
}

function outcomeOf(reply: Reply): CommitOutcome {
  const [word, jobId = '', fingerprint = ''] = texts(reply)
  if (word === 'ok') return { kind: 'committed' }
  return word === 'same' ? { kind: 'duplicate', jobId, fingerprint } : { kind: 'conflict' }
}

function splitOnce(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark)
  return [text.slice(0, at), text.slice(at + 1)]
}
