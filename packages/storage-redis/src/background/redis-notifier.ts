/**
 * Calls webhooks from a queue in Redis: what one orchestrator has accepted, any of them delivers.
 *
 * R1  A notification is accepted when it is in Redis; its id is that of the entry, so a repeat adds none.
 * R2  An entry is tried until it is delivered, refused for good, or out of attempts; then it stays as a
 *     dead letter, for 14 days and as one of the newest 1,000.
 * R3  What an orchestrator was sending when it died or stopped is sent by another one.
 */
import {
  backoffMs,
  createWebhookCall,
  deadLetterOf,
  DEFAULT_WEBHOOK_ATTEMPTS,
  systemClock,
  WEBHOOK_BACKOFF,
  type BackoffPolicy,
  type DeadLetter,
  type DeadLetterQuery,
  type Notification,
  type Notifier,
  type WebhookCall,
  type WebhookCallOptions,
} from '@avtomatika/core'
import { UnavailableError } from '@avtomatika/protocol'
import { Queue, UnrecoverableError, WaitingError, Worker, type Job, type JobsOptions } from 'bullmq'
import type { BackgroundLink } from './background-link.ts'
import { endWorker, InProgress } from './worker-end.ts'

export interface RedisNotifierOptions extends WebhookCallOptions {
  /** Default: over HTTP, as the other options say. */
  readonly call?: WebhookCall | undefined
  /** How often a delivery is tried. Default 8. */
  readonly attempts?: number | undefined
  /** The pauses between attempts. Default {@link WEBHOOK_BACKOFF}. */
  readonly backoff?: BackoffPolicy | undefined
  /** Uniform in [0, 1); spreads the pauses. Default: by chance. */
  readonly random?: (() => number) | undefined
  /** How long what a dead orchestrator was sending stays its own, in ms. Default 15 000. */
  readonly lockMs?: number | undefined
}

const QUEUE = 'webhooks'
const ENTRY = 'call'
const AT_A_TIME = 20
const GRACE_MS = 5_000
/** To hand back what was cut short. */
const HAND_BACK_MS = 1_000
const LOCK_MS = 15_000
const MAX_DEAD_LETTERS = 1_000
/** Entries that are read at a time: each may hold a large result. */
const PAGE = 50

/** For how long, in s, an entry is known that was delivered: its notification may come once more. */
const KEEP_DELIVERED = { age: 60, count: 1_000 }
const KEEP_DEAD = { age: 14 * 86_400, count: MAX_DEAD_LETTERS }

type Entry = Job<Notification, void>

export class RedisNotifier implements Notifier {
  readonly #link: BackgroundLink
  readonly #call: WebhookCall
  readonly #queue: Queue<Notification, void>
  readonly #worker: Worker<Notification, void>
  readonly #inProgress = new InProgress()
  readonly #abort = new AbortController()
  #stopped: Promise<void> | undefined

  constructor(link: BackgroundLink, options: RedisNotifierOptions = {}) {
    const { attempts = DEFAULT_WEBHOOK_ATTEMPTS, backoff = WEBHOOK_BACKOFF } = options
    const { lockMs = LOCK_MS, random = Math.random } = options
    this.#link = link
    this.#call = options.call ?? createWebhookCall(options)
    const base = { connection: link.redis, prefix: link.prefix }
    this.#queue = new Queue(QUEUE, { ...base, defaultJobOptions: entryOptions(attempts) })
    this.#worker = new Worker(
      QUEUE,
      (entry, token) => this.#inProgress.track(this.#send(entry, token)),
      {
        ...base,
        concurrency: AT_A_TIME,
        lockDuration: lockMs,
        stalledInterval: lockMs / 2,
        // However many orchestrators have died with it: that is no fault of the entry.
        maxStalledCount: 1_000_000,
        settings: { backoffStrategy: (made) => backoffMs(backoff, made, random()) },
      },
    )
    this.#queue.on('error', link.report)
    this.#worker.on('error', link.report)
    this.#worker.on('failed', (entry) => this.#failed(entry))
  }

  async notify(notification: Notification): Promise<void> {
    this.#assertOpen()
    const { id } = notification
    await this.#link.ask(() => this.#queue.add(ENTRY, notification, { jobId: entryId(id) }))
  }

  async listDeadLetters({ ownerId, limit }: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    const found = new Map<string, DeadLetter>()
    for (let start = 0; found.size < limit; start += PAGE) {
      const page = await this.#link.ask(() => this.#queue.getFailed(start, start + PAGE - 1))
      if (page.length === 0) break
      for (const entry of page) {
        if (isSeenBy(entry, ownerId)) found.set(entry.data.id, letterOf(entry))
      }
    }
    return [...found.values()].slice(0, limit)
  }

  async resend(id: string, ownerId?: string): Promise<boolean> {
    this.#assertOpen()
    return this.#link.ask(async () => {
      const entry = await this.#queue.getJob(entryId(id))
      if (entry === undefined || !isSeenBy(entry, ownerId)) return false
      if (!(await entry.isFailed())) return false
      await entry.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true })
      return true
    })
  }

  stop(graceMs = GRACE_MS): Promise<void> {
    this.#stopped ??= this.#end(graceMs)
    return this.#stopped
  }

  async #end(graceMs: number): Promise<void> {
    const cancelAbort = systemClock.after(graceMs, () => {
      this.#abort.abort()
    })
    const { isConnected } = this.#link
    const withinMs = graceMs + HAND_BACK_MS
    await endWorker(this.#worker, { inProgress: this.#inProgress, isConnected, withinMs })
    cancelAbort()
    await this.#queue.close()
  }

  async #send(entry: Entry, token: string | undefined): Promise<void> {
    const verdict = await this.#call(entry.data, this.#abort.signal)
    if (verdict.kind === 'delivered') return
    if (this.#abort.signal.aborted) {
      // The attempt was cut short by us, and does not count (R3).
      await entry.moveToWait(token)
      throw new WaitingError()
    }
    if (verdict.kind === 'refused') throw new UnrecoverableError(verdict.reason)
    throw new Error(verdict.reason)
  }

  #failed(entry: Entry | undefined): void {
    if (entry?.finishedOn === undefined) return
    const { id: deliveryId, jobId, event, host, attempts, reason } = letterOf(entry)
    const fields = { deliveryId, jobId, event, host, attempts, reason }
    this.#link.log.warn(fields, 'a webhook was not delivered, and is given up')
  }

  #assertOpen(): void {
    if (this.#stopped === undefined) return
    const message = 'Webhooks are not taken any more: the server is stopping.'
    throw new UnavailableError('SHUTTING_DOWN', { message })
  }
}

function entryOptions(attempts: number): JobsOptions {
  return {
    attempts,
    backoff: { type: 'custom' },
    removeOnComplete: KEEP_DELIVERED,
    removeOnFail: KEEP_DEAD,
    stackTraceLimit: 0,
  }
}

/** Ids of entries may not be numbers, nor have colons, which ours do. */
function entryId(notificationId: string): string {
  return `n-${encodeURIComponent(notificationId)}`
}

function isSeenBy({ data }: Entry, ownerId: string | undefined): boolean {
  return ownerId === undefined || data.ownerId === ownerId
}

function letterOf({ data, attemptsMade, failedReason, finishedOn }: Entry): DeadLetter {
  const reason = failedReason ?? ''
  const failedAt = finishedOn ?? data.at
  return deadLetterOf({ notification: data, attempts: attemptsMade, reason, failedAt })
}
