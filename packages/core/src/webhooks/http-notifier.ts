/**
 * Calls webhooks over HTTP, from a queue in this process.
 *
 * N1  A delivery is tried until it is answered with 2xx, refused for good, or out of attempts.
 * N2  What is accepted is bounded, and so are the calls at a time; a pause holds no place.
 * N3  Only public addresses are called, unless the operator says otherwise (D-58).
 * N4  What is given up is logged, with the host at most: URLs hold secrets.
 */
import { UnavailableError } from '@avtomatika/protocol'
import { backoffMs, type BackoffPolicy } from '../job/retry.ts'
import { systemClock, type Clock } from '../ports/clock.ts'
import { systemIds } from '../ports/ids.ts'
import { silentLog, type Log } from '../ports/log.ts'
import type { Notification, Notifier } from '../ports/notifier.ts'
import { hostOf, post, RefusedTargetError, type PostRequest, type Resolve } from './post.ts'

export interface HttpNotifierOptions {
  /** Whether to call this machine and its private networks, too. Default `false`. */
  readonly allowPrivateHosts?: boolean
  /** Finds all addresses of a name. Default: the system's own look-up. */
  readonly resolve?: Resolve
  /** Sends one request and answers the status. Default: a guarded POST over HTTP or HTTPS. */
  readonly send?: (request: PostRequest) => Promise<number>
  readonly clock?: Clock
  /** Uniform in [0, 1); spreads the pauses. */
  readonly random?: () => number
  readonly log?: Log
}

/** Deliveries that are accepted and not done. */
const CAPACITY = 1_000
const AT_A_TIME = 5
const ATTEMPTS = 3
/** From look-up to answer. */
const TIMEOUT_MS = 10_000
/** 2 s, then 4 s, shortened by up to a quarter. */
const PAUSES: BackoffPolicy = { initialMs: 2_000, factor: 2, maxMs: 4_000, jitter: 0.25 }
const GRACE_MS = 5_000
const STOPPED = 'the server stopped'

/** Refusals that may pass: too slow, too early, too many. */
const PASSING = new Set([408, 425, 429])

interface Delivery {
  readonly notification: Notification
  /** Tries so far. */
  attempts: number
}

type Verdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'again'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }

export class HttpNotifier implements Notifier {
  readonly #send: (request: PostRequest) => Promise<number>
  readonly #clock: Clock
  readonly #random: () => number
  readonly #log: Log
  /** By notification id, from acceptance to the end. */
  readonly #accepted = new Map<string, Delivery>()
  readonly #ready: Delivery[] = []
  /** The pauses between attempts, with what cancels them. */
  readonly #paused = new Map<Delivery, () => void>()
  readonly #abort = new AbortController()
  #calls = 0
  #isStopping = false
  #stopped: Promise<void> | undefined
  #onIdle: (() => void) | undefined

  constructor(options: HttpNotifierOptions = {}) {
    const { allowPrivateHosts = false, resolve } = options
    this.#send = options.send ?? ((request) => post(request, { allowPrivateHosts, resolve }))
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? (() => systemIds.chance())
    this.#log = options.log ?? silentLog
  }

  /** Deliveries that are accepted and not done. */
  get pending(): number {
    return this.#accepted.size
  }

  async notify(notification: Notification): Promise<void> {
    if (this.#isStopping) {
      const message = 'Webhooks are not taken any more: the server is stopping.'
      throw new UnavailableError('SHUTTING_DOWN', { message })
    }
    if (this.#accepted.has(notification.id)) return
    if (this.#accepted.size >= CAPACITY) {
      const message = `${CAPACITY} webhooks wait for delivery already. Try again later.`
      throw new UnavailableError('UNAVAILABLE', { message, retryAfterMs: PAUSES.initialMs })
    }
    const delivery = { notification, attempts: 0 }
    this.#accepted.set(notification.id, delivery)
    this.#makeReady(delivery)
  }

  stop(graceMs = GRACE_MS): Promise<void> {
    this.#stopped ??= this.#end(graceMs)
    return this.#stopped
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
    const verdict = await this.#call(delivery)
    this.#calls -= 1
    this.#conclude(delivery, verdict)
    this.#callNext()
  }

  #conclude(delivery: Delivery, verdict: Verdict): void {
    if (verdict.kind === 'delivered') return this.#forget(delivery)
    const { reason } = verdict
    const isLast = delivery.attempts >= ATTEMPTS || this.#isStopping
    if (verdict.kind === 'refused' || isLast) return this.#giveUp(delivery, reason)
    const pauseMs = backoffMs(PAUSES, delivery.attempts, this.#random())
    const cancel = this.#clock.after(pauseMs, () => {
      this.#paused.delete(delivery)
      this.#makeReady(delivery)
    })
    this.#paused.set(delivery, cancel)
  }

  async #call({ notification }: Delivery): Promise<Verdict> {
    const timeout = new AbortController()
    const cancel = this.#clock.after(TIMEOUT_MS, () => timeout.abort())
    const signal = AbortSignal.any([timeout.signal, this.#abort.signal])
    try {
      return verdictOf(await this.#send(requestOf(notification, signal)))
    } catch (error) {
      if (error instanceof RefusedTargetError) return { kind: 'refused', reason: error.message }
      if (this.#abort.signal.aborted) return { kind: 'refused', reason: STOPPED }
      const reason = timeout.signal.aborted ? `no answer in ${TIMEOUT_MS} ms` : codeOf(error)
      return { kind: 'again', reason }
    } finally {
      cancel()
    }
  }

  #giveUp(delivery: Delivery, reason: string): void {
    const { id, jobId, event, url } = delivery.notification
    const { attempts } = delivery
    const fields = { deliveryId: id, jobId, event, host: hostOf(url), attempts, reason }
    this.#log.warn(fields, 'a webhook was not delivered, and is given up')
    this.#forget(delivery)
  }

  #forget({ notification }: Delivery): void {
    this.#accepted.delete(notification.id)
    if (this.#accepted.size === 0) this.#onIdle?.()
  }
}

function requestOf(notification: Notification, signal: AbortSignal): PostRequest {
  const { id, url, event, jobId, status, result, error } = notification
  return {
    url,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'avtomatika',
      'x-avtomatika-delivery': id,
    },
    body: JSON.stringify({ event, job_id: jobId, status, result, error }),
    signal,
  }
}

function verdictOf(status: number): Verdict {
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  const reason = `answered ${status}`
  // A redirect could lead anywhere, also to where a webhook may not point.
  if (status >= 300 && status < 400) {
    return { kind: 'refused', reason: `${reason}; redirects are not followed` }
  }
  const isFinal = status >= 400 && status < 500 && !PASSING.has(status)
  return { kind: isFinal ? 'refused' : 'again', reason }
}

/** Messages of errors may quote what was sent, so only their code is told. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
