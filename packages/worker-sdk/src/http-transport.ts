import { ConnectionError, errorFromBody, HEADERS, PROTOCOL_VERSION } from '@avtomatika/protocol'
import { Pool } from 'undici'

import { parseRetryAfter } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { Failure, Reply, Transport, TransportRequest, TransportTarget } from './transport.ts'

/** Largest answer that is read, in bytes. */
export const MAX_ANSWER_BYTES = 10 * 1024 * 1024

/** Speaks HTTP with one orchestrator over connections that are kept open. */
export class HttpTransport implements Transport {
  readonly #pool: Pool
  readonly #basePath: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #clock: Clock

  constructor(target: TransportTarget, clock: Clock) {
    const url = new URL(target.url)
    this.#basePath = url.pathname.replace(/\/+$/, '')
    this.#clock = clock
    this.#headers = {
      accept: 'application/json',
      [HEADERS.workerToken]: target.token,
      [HEADERS.workerId]: target.workerId,
      [HEADERS.protocolVersion]: PROTOCOL_VERSION,
    }
    // Each request has its own time limit, so the pool's limits (made for short answers) are off.
    this.#pool = new Pool(url.origin, {
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: MAX_ANSWER_BYTES,
      ...(target.tls !== undefined && { connect: { ...target.tls } }),
    })
  }

  async request(request: TransportRequest): Promise<Reply> {
    const abort = new AbortController()
    const forward = (): void => {
      abort.abort(request.signal.reason)
    }
    if (request.signal.aborted) forward()
    request.signal.addEventListener('abort', forward)
    const cancelTimer = this.#clock.after(request.timeoutMs, () => {
      abort.abort(new Error(`no answer within ${request.timeoutMs} ms`))
    })
    try {
      return await this.#exchange(request, abort.signal)
    } catch (error) {
      return lost(request, abort.signal.aborted ? abort.signal.reason : error)
    } finally {
      cancelTimer()
      request.signal.removeEventListener('abort', forward)
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #exchange(request: TransportRequest, signal: AbortSignal): Promise<Reply> {
    const { method, path, body, token } = request
    const response = await this.#pool.request({
      method,
      path: this.#basePath + path,
      headers: {
        ...this.#headers,
        ...(token !== undefined && { [HEADERS.workerToken]: token }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body ?? null,
      signal,
    })
    const text = await response.body.text()
    const parsed = parseJson(text)
    const status = response.statusCode
    const serverTime = timeOf(response.headers['date'])
    if (status >= 200 && status < 300) {
      return parsed.ok
        ? { ok: true, status, body: parsed.value, serverTime }
        : unreadable(request, status)
    }
    const now = this.#clock.now()
    const retryAfterMs = parseRetryAfter(response.headers['retry-after'], now)
    const said = parsed.ok ? parsed.value : undefined
    const error = errorFromBody(status, said ?? text, { retryAfterMs })
    return { ok: false, status, error, body: said, retryAfterMs, serverTime }
  }
}

type ParsedJson = { readonly ok: true; readonly value: unknown } | { readonly ok: false }

function parseJson(text: string): ParsedJson {
  if (text.trim() === '') return { ok: true, value: undefined }
  try {
    const value: unknown = JSON.parse(text)
    return { ok: true, value }
  } catch {
    // Not JSON is an answer like any other here; what it means depends on the status.
    return { ok: false }
  }
}

function timeOf(header: string | readonly string[] | undefined): number | undefined {
  const time = typeof header === 'string' ? Date.parse(header) : NaN
  return Number.isNaN(time) ? undefined : time
}

function lost({ method, path }: TransportRequest, cause: unknown): Failure {
  const why = cause instanceof Error ? cause.message : String(cause)
  const message = `${method} ${path}: no answer from the orchestrator (${why}).`
  const error = new ConnectionError('CONNECTION_FAILED', { message, cause })
  return { ok: false, status: null, error, neverLeft: NO_CONNECTION.has(codeOf(cause)) }
}

/** Codes of Node.js and undici for an address where nobody takes calls. */
const NO_CONNECTION: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
])

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}

function unreadable({ method, path }: TransportRequest, status: number): Failure {
  const message = `${method} ${path}: HTTP ${status} with a body that is not JSON. Is the URL that of an orchestrator?`
  return { ok: false, status: null, error: new ConnectionError('UNEXPECTED_RESPONSE', { message }) }
}
