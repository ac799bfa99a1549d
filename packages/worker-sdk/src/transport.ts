import type { AvtomatikaError } from '@avtomatika/protocol'

/** One question to an orchestrator. */
export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PATCH'
  /** Below the orchestrator's URL, query included. */
  readonly path: string
  /** JSON text. */
  readonly body?: string
  /** Give up after this long, in ms. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Default: the token of the target. */
  readonly token?: string | undefined
}

/** A usable answer: 2xx, and JSON if it has a body. */
export interface Answer {
  readonly ok: true
  readonly status: number
  /** The parsed JSON; `undefined` when the body was empty. */
  readonly body: unknown
  /** When the peer answered by its own clock, in ms since 1970; left out when it did not say. */
  readonly serverTime?: number | undefined
}

/** No usable answer. An expected thing on a network, therefore a value and not an exception. */
export interface Failure {
  readonly ok: false
  /** HTTP status, or `null` when there was no answer or one that nobody can read. */
  readonly status: number | null
  readonly error: AvtomatikaError
  /** The parsed JSON of an answer, if there was any. */
  readonly body?: unknown
  /** What the peer asked to wait, in ms. */
  readonly retryAfterMs?: number | undefined
  /** As in {@link Answer.serverTime}. */
  readonly serverTime?: number | undefined
  /** Nobody can have seen the question: there was no connection. */
  readonly neverLeft?: boolean
}

/** What came of a question. */
export type Reply = Answer | Failure

/** The way to one orchestrator. */
export interface Transport {
  /**
   * Asks. Never rejects: whatever goes wrong, an abort included, is a {@link Failure}. Must end soon
   * after an abort: a worker that stops waits for it.
   */
  request(request: TransportRequest): Promise<Reply>
  /** Ends every connection. */
  close(): Promise<void>
}

/** What a transport must know about its orchestrator. */
export interface TransportTarget {
  /** Without a trailing slash. */
  readonly url: string
  readonly token: string
  readonly workerId: string
  /** Default: what the platform trusts, and no certificate of our own. */
  readonly tls?: TlsSettings | undefined
}

/** Certificates in PEM. */
export interface TlsSettings {
  /** Trusted instead of what the platform trusts. */
  readonly ca?: string | undefined
  /** This worker's own. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** How long any question but a long poll may take, in ms. */
export const REQUEST_TIMEOUT_MS = 30_000
