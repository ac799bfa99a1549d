// Runs in a thread of its own, which a busy handler cannot stop: beats when the worker is too late to.
// Imports nothing of ours but `backoff.ts`: the thread must start with plain Node.js.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { parentPort } from 'node:worker_threads'

import { backoffMs, parseRetryAfter } from './backoff.ts'

/** What the worker tells the thread. */
export type DeputyOrder =
  | {
      readonly kind: 'beat'
      /** When the worker means to beat itself, in ms since 1970. */
      readonly dueAt: number
      readonly url: string
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
      readonly intervalMs: number
      readonly timeoutMs: number
      readonly tls: {
        readonly ca?: string | undefined
        readonly cert?: string | undefined
        readonly key?: string | undefined
      }
    }
  | { readonly kind: 'rest' }

/** What the thread tells the worker about a beat it sent. */
export interface DeputyReport {
  /** HTTP status, or `null` when there was no answer. */
  readonly status: number | null
  readonly text: string
  /** In ms since 1970. */
  readonly sentAt: number
}

/** So much later than the worker meant to beat it is clear that it cannot, in ms. */
const GRACE_MS = 500

/** More than any answer to a heartbeat needs, in characters. */
const MAX_TEXT = 1_000_000

let timer: NodeJS.Timeout | undefined
let failures = 0

parentPort?.on('message', (order: DeputyOrder) => {
  clearTimeout(timer)
  failures = 0
  if (order.kind === 'beat') schedule(order, order.dueAt + GRACE_MS - Date.now())
})

type Beat = Extract<DeputyOrder, { kind: 'beat' }>

function schedule(beat: Beat, ms: number): void {
  clearTimeout(timer)
  const mine = setTimeout(
    () => {
      void send(beat).then((report) => {
        parentPort?.postMessage(report.message)
        // A newer order has a timer of its own.
        if (timer === mine) schedule(beat, waitMs(beat, report))
      })
    },
    Math.max(0, ms),
  )
  timer = mine
}

interface Sent {
  readonly message: DeputyReport
  readonly retryAfterMs: number | undefined
}

function waitMs({ intervalMs }: Beat, { message, retryAfterMs }: Sent): number {
  const isAccepted = message.status !== null && message.status < 300
  failures = isAccepted ? 0 : failures + 1
  if (isAccepted) return intervalMs
  const policy = { initialMs: Math.min(1000, intervalMs), maxMs: intervalMs }
  return backoffMs(policy, failures, Math.random, retryAfterMs)
}

function send({ url, headers, body, timeoutMs, tls }: Beat): Promise<Sent> {
  const sentAt = Date.now()
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  return new Promise((resolve) => {
    const fail = (): void => {
      resolve({ message: { status: null, text: '', sentAt }, retryAfterMs: undefined })
    }
    const signal = AbortSignal.timeout(timeoutMs)
    const outgoing = request(url, { method: 'PATCH', headers, signal, ...tls }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > MAX_TEXT) response.destroy()
      })
      response.on('error', fail)
      response.on('close', fail)
      response.on('end', () => {
        const status = response.statusCode ?? null
        const retryAfterMs = parseRetryAfter(response.headers['retry-after'], Date.now())
        resolve({ message: { status, text, sentAt }, retryAfterMs })
      })
    })
    outgoing.on('error', fail)
    outgoing.end(body)
  })
}
