/**
 * One call of a webhook, whoever keeps the queue: what is sent, for how long it is waited, and what
 * an answer means.
 *
 * W1  An answer with 2xx is a delivery; what may pass is tried again; everything else is refused.
 * W2  Only public addresses are called, unless the operator says otherwise (D-58).
 * W3  Reasons hold nothing of the URL and nothing of what was sent: both may hold secrets.
 */
import type { BackoffPolicy } from '../job/retry.ts'
import { systemClock, type Clock } from '../ports/clock.ts'
import type { Notification, WebhookCall, WebhookVerdict } from '../ports/notifier.ts'
import { post, RefusedTargetError, type PostRequest, type Resolve } from './post.ts'

export interface WebhookCallOptions {
  /** Whether to call this machine and its private networks, too. Default `false`. */
  readonly allowPrivateHosts?: boolean | undefined
  /** Finds all addresses of a name. Default: the system's own look-up. */
  readonly resolve?: Resolve | undefined
  /** Sends one request and answers the status. Default: a guarded POST over HTTP or HTTPS. */
  readonly send?: ((request: PostRequest) => Promise<number>) | undefined
  /** Default: the clock of this machine. */
  readonly clock?: Clock | undefined
}

/** How often a webhook is called when nobody says: 8 attempts take about 4 minutes. */
export const DEFAULT_WEBHOOK_ATTEMPTS = 8

/** 2 s, doubled each time, at most 5 min, shortened by up to a quarter by chance. */
export const WEBHOOK_BACKOFF: BackoffPolicy = {
  initialMs: 2_000,
  factor: 2,
  maxMs: 300_000,
  jitter: 0.25,
}

/** From look-up to answer. */
const TIMEOUT_MS = 10_000

/** Refusals that may pass: too slow, too early, too many. */
const PASSING = new Set([408, 425, 429])

/** The way to call webhooks over HTTP. */
export function createWebhookCall(options: WebhookCallOptions = {}): WebhookCall {
  const { allowPrivateHosts = false, resolve, clock = systemClock } = options
  const send = options.send ?? ((request) => post(request, { allowPrivateHosts, resolve }))
  return async (notification, signal) => {
    const timeout = new AbortController()
    const cancel = clock.after(TIMEOUT_MS, () => {
      timeout.abort()
    })
    const either = AbortSignal.any(
      signal === undefined ? [timeout.signal] : [timeout.signal, signal],
    )
    try {
      return verdictOf(await send(requestOf(notification, either)))
    } catch (error) {
      if (error instanceof RefusedTargetError) return { kind: 'refused', reason: error.message }
      if (signal?.aborted === true) return { kind: 'again', reason: 'interrupted' }
      const reason = timeout.signal.aborted ? `no answer in ${TIMEOUT_MS} ms` : codeOf(error)
      return { kind: 'again', reason }
    } finally {
      cancel()
    }
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

function verdictOf(status: number): WebhookVerdict {
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
