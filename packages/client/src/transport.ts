// Rules of every call.
// T1 Most calls are safe to repeat: reads, cancellations, creations and events that carry a key of
//    their own. Any try of them may be repeated, and a repeated try is byte for byte the same. A call
//    whose second try could do something else (a decision may meet the next request for approval)
//    is marked `isOnce`.
// T2 Tried again: no answer (lost connection, timeout), 502, 503, 504, and 429 unless its code says
//    that waiting does not help. Of calls marked `isOnce` only 429: that nothing was done is certain
//    there alone. Every other answer is final.
// T3 The token is in the request's header and nowhere else: no error repeats headers.

import {
  AvtomatikaError,
  ConnectionError,
  errorFromBody,
  HEADERS,
  LimitError,
  PROTOCOL_VERSION,
  UnavailableError,
} from '@avtomatika/protocol'
import { Pool } from 'undici'
import type { Dispatcher } from 'undici'

import { backoffMs } from './backoff.ts'
import type { BackoffPolicy } from './backoff.ts'
import { withDeadline } from './deadline.ts'
import type { ResolvedClientOptions } from './options.ts'
import { parseJsonOrText, readText } from './read-body.ts'
import type { ReadableBody } from './read-body.ts'
import { parseRetryAfter } from './retry-after.ts'

/** One call of the client API. */
export interface Call {
  readonly method: 'GET' | 'POST'
  /** Below the client's URL; percent-encoded. */
  readonly path: string
  /** JSON text. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** How long the server was asked to hold its answer back, in ms. Default 0. */
  readonly heldMs?: number
  /** A second try could do something else than the first (T1). Default false. */
  readonly isOnce?: boolean
  /** The answer is text of this media type, to be returned as it is. Default: JSON. */
  readonly textOfType?: string
  readonly signal?: AbortSignal | undefined
}

const RETRY: BackoffPolicy = { firstMs: 200, maxMs: 5_000 }

/** A server that asks for a longer pause gets none: the caller is told, with `retryAfterMs`. */
const MAX_RETRY_AFTER_MS = 30_000

/** Sends calls over kept-alive connections, with retries, and turns answers into values or errors. */
export class Transport {
  readonly #options: ResolvedClientOptions
  readonly #basePath: string
  readonly #dispatcher: Dispatcher
  readonly #isOwnDispatcher: boolean
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  constructor(options: ResolvedClientOptions) {
    this.#options = options
    this.#basePath = options.url.pathname.replace(/\/+$/, '')
    // No limit of connections: a long poll holds one, and must not keep a cancellation waiting.
    this.#dispatcher = options.dispatcher ?? new Pool(options.url.origin)
    this.#isOwnDispatcher = options.dispatcher === undefined
  }

  /** Aborted, with the error to throw, as soon as the client is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** The answer's JSON, or its text when it is not JSON or the call asks for text. */
  request(call: Call): Promise<unknown> {
    const { clock } = this.#options
    const scope = {
      clock,
      timeoutMs: Infinity,
      onTimeout: () => new Error('unreachable'),
      signals: [call.signal, this.closing],
    }
    return withDeadline(scope, (signal) => this.#tryUntilFinal(call, signal))
  }

  /**
   * Opens an answer that is read as it comes, in one try. Its reader ends it, with `destroy`.
   *
   * @param call.textOfType - the media type that it must have.
   */
  async open(call: Call & { readonly textOfType: string }): Promise<ReadableBody> {
    const { clock, timeoutMs } = this.#options
    const scope = {
      clock,
      timeoutMs,
      onTimeout: () => noAnswer(this.#name(call), `nothing within ${timeoutMs} ms`),
      signals: [call.signal, this.closing],
    }
    return withDeadline(scope, async (signal) => {
      const response = await this.#send(call, signal)
      const { body, statusCode } = response
      // Whoever reads is told by the read; that nobody does yet must not end the process.
      body.on('error', () => undefined)
      if (statusCode < 200 || statusCode >= 300) {
        this.#read(call, response, await this.#text(call, body, signal))
      }
      try {
        this.#value(call, response, '')
        return body
      } catch (error) {
        body.destroy()
        throw error
      }
    })
  }

  /** Ends what is in flight, and closes the client's own connections. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort(
      new ConnectionError('CONNECTION_FAILED', {
        message: 'The client is closed. Create another one, or close it later.',
      }),
    )
    if (this.#isOwnDispatcher) await this.#dispatcher.destroy()
  }

  async #tryUntilFinal(call: Call, signal: AbortSignal): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#try(call, signal)
      } catch (error) {
        signal.throwIfAborted()
        const pauseMs = this.#pauseBeforeRetry(call, error, attempt)
        if (pauseMs === undefined) throw error
        await this.#options.clock.sleep(pauseMs, signal)
      }
    }
  }

  #pauseBeforeRetry(call: Call, error: unknown, attempt: number): number | undefined {
    if (attempt > this.#options.retries || !isPassing(error)) return undefined
    if (call.isOnce === true && !LimitError.is(error)) return undefined
    const askedMs = retryAfterMs(error)
    if (askedMs > MAX_RETRY_AFTER_MS) return undefined
    return askedMs + backoffMs(RETRY, attempt, this.#options.random)
  }

  async #try(call: Call, signal: AbortSignal): Promise<unknown> {
    const timeoutMs = this.#options.timeoutMs + (call.heldMs ?? 0)
    const scope = {
      clock: this.#options.clock,
      timeoutMs,
      onTimeout: () => noAnswer(this.#name(call), `nothing within ${timeoutMs} ms`),
      signals: [signal],
    }
    const { response, text } = await withDeadline(scope, (inner) => this.#exchange(call, inner))
    return this.#read(call, response, text)
  }

  async #exchange(
    call: Call,
    signal: AbortSignal,
  ): Promise<{ readonly response: Dispatcher.ResponseData; readonly text: string }> {
    const response = await this.#send(call, signal)
    return { response, text: await this.#text(call, response.body, signal) }
  }

  async #send(call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    try {
      return await this.#dispatcher.request({
        origin: this.#options.url.origin,
        path: `${this.#basePath}${call.path}`,
        method: call.method,
        headers: this.#headers(call),
        body: call.body ?? null,
        signal,
        // The deadlines are the client's own: they also cover a body that trickles.
        headersTimeout: 0,
        bodyTimeout: 0,
      })
    } catch (error) {
      throw this.#unanswered(call, signal, error)
    }
  }

  async #text(call: Call, body: ReadableBody, signal: AbortSignal): Promise<string> {
    try {
      return await readText(body)
    } catch (error) {
      throw this.#unanswered(call, signal, error)
    }
  }

  #unanswered(call: Call, signal: AbortSignal, error: unknown): unknown {
    if (AvtomatikaError.is(error) || signal.aborted) return error
    return noAnswer(this.#name(call), describe(error), error)
  }

  #headers(call: Call): Record<string, string> {
    return {
      accept: call.textOfType ?? 'application/json',
      [HEADERS.clientToken]: this.#options.token,
      [HEADERS.protocolVersion]: PROTOCOL_VERSION,
      ...(call.body !== undefined && { 'content-type': 'application/json' }),
      ...call.headers,
    }
  }

  #read(call: Call, response: Dispatcher.ResponseData, text: string): unknown {
    const { statusCode, headers } = response
    if (statusCode >= 200 && statusCode < 300) return this.#value(call, response, text)
    if (statusCode >= 400) {
      const body = parseJsonOrText(text)
      const retryAfter = parseRetryAfter(headers['retry-after'], this.#options.clock.now())
      throw errorFromBody(statusCode, body, { retryAfterMs: retryAfter })
    }
    throw new ConnectionError('UNEXPECTED_RESPONSE', {
      message: `${this.#name(call)} was answered with HTTP ${statusCode}, which is not an answer of an orchestrator. Is \`url\` its final address?`,
      details: { status: statusCode },
    })
  }

  #value(call: Call, { headers }: Dispatcher.ResponseData, text: string): unknown {
    if (call.textOfType === undefined) return parseJsonOrText(text)
    const type = mediaType(headers['content-type'])
    if (type === call.textOfType) return text
    throw new ConnectionError('UNEXPECTED_RESPONSE', {
      message: `${this.#name(call)} was answered with ${type}, not ${call.textOfType}. Is \`url\` an orchestrator, and new enough for this?`,
      details: { contentType: type },
    })
  }

  #name(call: Call): string {
    return `${call.method} ${this.#options.url.origin}${this.#basePath}${call.path}`
  }
}

/** Whether the same call may succeed a little later (T2). */
export function isPassing(error: unknown): error is AvtomatikaError {
  if (!AvtomatikaError.is(error) || !error.retry) return false
  return ConnectionError.is(error) || UnavailableError.is(error) || LimitError.is(error)
}

/** How long the server wants to be left alone, in ms; 0 when it does not say. */
export function retryAfterMs(error: AvtomatikaError): number {
  if (LimitError.is(error) || UnavailableError.is(error)) return error.retryAfterMs ?? 0
  return 0
}

/** The type without its parameters, such as the charset. */
function mediaType(header: string | string[] | undefined): string {
  const [type = ''] = String(header ?? '').split(';')
  return type.trim().toLowerCase() || 'an unnamed type'
}

function noAnswer(name: string, why: string, cause?: unknown): ConnectionError {
  return new ConnectionError('CONNECTION_FAILED', {
    message: `${name}: no answer (${why}). Is the orchestrator running, and \`url\` its address?`,
    cause,
  })
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? code : error.message
}
