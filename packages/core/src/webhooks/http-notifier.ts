/**
 * Calls webhooks over HTTP, from a queue in this process.
 *
 * N1  A delivery is tried until it is delivered, refused for good, or out of attempts; then it is a
 *     dead letter.
 * N2  What is accepted is bounded, and so are the calls at a time and the dead letters; a pause holds
 *     no place.
 * N3  What is given up is logged, with the host at most: URLs hold secrets.
 */
import { UnavailableError } from '@avtomatika/protocol'
import { backoffMs, type BackoffPolicy } from '../job/retry.ts'
import { systemClock, type Clock } from '../ports/clock.ts'
import { systemIds } from '../ports/ids.ts'
import { silentLog, type Log } from '../ports/log.ts'
import type {
  DeadLetter,
  DeadLetterQuery,
  Notification,
  Notifier,
  WebhookCall,
  WebhookVerdict,
} from '../ports/notifier.ts'
import { DeadLetters } from './dead-letters.ts'
import { hostOf } from './post.ts'
import {
  createWebhookCall,
  DEFAULT_WEBHOOK_ATTEMPTS,
  WEBHOOK_BACKOFF,
  type WebhookCallOptions,
} from './webhook-call.ts'

export interface HttpNotifierOptions extends WebhookCallOptions {
  /** Default: over HTTP, as the other options say. */
  readonly call?: WebhookCall | undefined
  /** How often a delivery is tried. Default 8. */
  readonly attempts?: number | undefined
  /** The pauses between attempts. Default {@link WEBHOOK_BACKOFF}. */
  readonly backoff?: BackoffPolicy | undefined
  /** Uniform in [0, 1); spreads the pauses. */
  readonly random?: (() => number) | undefined
  readonly log?: Log | undefined
}

/** Deliveries that are accepted and not done. */
const CAPACITY = 1_000
const MAX_DEAD_LETTERS = 1_000
const AT_A_TIME = 5
const GRACE_MS = 5_000
const RETRY_AFTER_MS = 2_000
const STOPPED = 'the server stopped'

interface Delivery {
  readonly notification: Notification
  /** Tries so far. */
  attempts: number
}

export class HttpNotifier implements Notifier {
  readonly #call: WebhookCall
  readonly #attempts: number
  readonly #backoff: BackoffPolicy
  readonly #clock: Clock
  readonly #random: () => number
  readonly #log: Log
  /** By notification id, from acceptance to the end. */
  readonly #accepted = new Map<string, Delivery>()
  readonly #ready: Delivery[] = []
  /** The pauses between attempts, with what cancels them. */
  readonly #paused = new Map<Delivery, () => void>()
  readonly #dead = new DeadLetters(MAX_DEAD_LETTERS)
  readonly #abort = new AbortController()
  #calls = 0
  #isStopping = false
  #stopped: Promise<void> | undefined
  #onIdle: (() => void) | undefined

  constructor(options: HttpNotifierOptions = {}) {
    this.#call = options.call ?? createWebhookCall(options)
    this.#attempts = options.attempts ?? DEFAULT_WEBHOOK_ATTEMPTS
    this.#backoff = options.backoff ?? WEBHOOK_BACKOFF
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? (() => systemIds.chance())
    this.#log = options.log ?? silentLog
  }

  /** Deliveries that are accepted and not done. */
  get pending(): number {
    return this.#accepted.size
  }

  async notify(notification: Notification): Promise<void> {
    this.#assertOpen()
    if (!this.#dead.has(notification.id)) this.#accept(notification)
  }

  async listDeadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    return this.#dead.list(query)
  }

  async resend(id: string, ownerId?: string): Promise<boolean> {
    this.#assertOpen()
    this.#assertRoom()
    const notification = this.#dead.take(id, ownerId)
    if (notification !== undefined) this.#accept(notification)
    return notification !== undefined
  }

  stop(graceMs = GRACE_MS): Promise<void> {
    this.#stopped ??= this.#end(graceMs)
    return this.#stopped
  }

  #accept(notification: Notification): void {
    if (this.#accepted.has(notification.id)) return
    this.#assertRoom()
    const delivery = { notification, attempts: 0 }
    this.#accepted.set(notification.id, delivery)
    this.#makeReady(delivery)
  }

  #assertOpen(): void {
    if (!this.#isStopping) return
    const message = 'Webhooks are not taken any more: the server is stopping.'
    throw new UnavailableError('SHUTTING_DOWN', { message })
  }

  #assertRoom(): void {
    if (this.#accepted.size < CAPACITY) return
    const message = `${CAPACITY} webhooks wait for delivery already. Try again later.`
    throw new UnavailableError('UNAVAILABLE', { message, retryAfterMs: RETRY_AFTER_MS })
  }

  /** No pause is waited out: everything gets one more try, now. */
  async #end(graceMs: number): Promise<void> {
    this.#isStopping = true
    if (this.#accepted.size === 0) return
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
    const cancel = this.#clock.after(graceMs, () => this.#dropAll())
    for (const [delivery, cancelPause] of this.#paused) {
      cancelPause()
      this.#makeReady(delivery)
    }
    this.#paused.clear()
    await idle
    cancel()
  }

  /** Calls under way end by the signal, each with its own word in the log. */
  #dropAll(): void {
    for (const delivery of this.#ready.splice(0)) this.#giveUp(delivery, STOPPED)
    this.#abort.abort()
  }

  #makeReady(delivery: Delivery): void {
    this.#ready.push(delivery)
    this.#callNext()
  }

  #callNext(): void {
    while (this.#calls < AT_A_TIME) {
      const delivery = this.#ready.shift()
      if (delivery === undefined) return
      this.#calls += 1
      void this.#try(delivery)
    }
  }

  /** Never rejects. */
  async #try(delivery: Delivery): Promise<void> {
    delivery.attempts += 1
    const verdict = await this.#call(delivery.notification, this.#abort.signal)
    this.#calls -= 1
    this.#conclude(delivery, verdict)
    this.#callNext()
  }

  #conclude(delivery: Delivery, verdict: WebhookVerdict): void {
    if (verdict.kind === 'delivered') return this.#forget(delivery)
    const reason = this.#abort.signal.aborted ? STOPPED : verdict.reason
    const isLast = delivery.attempts >= this.#attempts || this.#isStopping
    if (verdict.kind === 'refused' || isLast) return this.#giveUp(delivery, reason)
    const pauseMs = backoffMs(this.#backoff, delivery.attempts, this.#random())
    const cancel = this.#clock.after(pauseMs, () => {
      this.#paused.delete(delivery)
      this.#makeReady(delivery)
    })
    this.#paused.set(delivery, cancel)
  }

  #giveUp(delivery: Delivery, reason: string): void {
    const { notification, attempts } = delivery
    const { id, jobId, event, url } = notification
    const fields = { deliveryId: id, jobId, event, host: hostOf(url), attempts, reason }
    this.#log.warn(fields, 'a webhook was not delivered, and is given up')
    this.#dead.add({ notification, attempts, reason, failedAt: this.#clock.now() })
    this.#forget(delivery)
  }

  #forget({ notification }: Delivery): void {
    this.#accepted.delete(notification.id)
    if (this.#accepted.size === 0) this.#onIdle?.()
  }
}
