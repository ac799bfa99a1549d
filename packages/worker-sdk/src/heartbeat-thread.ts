// Runs in a thread of its own, which a busy handler cannot stop: beats when the worker is too late to.
// Imports nothing of ours that imports anything: the thread must start with plain Node.js.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { parentPort } from 'node:worker_threads'

import { backoffMs, parseRetryAfter } from './backoff.ts'
import { BeatMemory, GRACE_MS } from './beat-memory.ts'
import { sealed, type Seal } from './seal.ts'

/** What the worker tells the thread; what it is to say stands in the memory. */
export type DeputyOrder =
  | { readonly kind: 'memory'; readonly buffer: SharedArrayBuffer }
  | { readonly kind: 'target'; readonly target: DeputyTarget }
  /** The beat is due before the thread would have looked. */
  | { readonly kind: 'look' }

/** Where to beat, and how. */
export interface DeputyTarget {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Left out, beats are not signed. */
  readonly seal?: Seal | undefined
  readonly tls: {
    readonly ca?: string | undefined
    readonly cert?: string | undefined
    readonly key?: string | undefined
  }
}

/** What the thread tells the worker about a beat it sent. */
export interface DeputyReport {
  /** HTTP status, or `null` when there was no answer. */
  readonly status: number | null
  readonly text: string
  /** In ms since 1970. */
  readonly sentAt: number
}

/** More than any answer to a heartbeat needs, in characters. */
const MAX_TEXT = 1_000_000

let memory: BeatMemory | undefined
let target: DeputyTarget | undefined
let timer: NodeJS.Timeout | undefined
let isSending = false
let failures = 0
/** What the thread does next counts from its own last beat as long as the memory stays as it was then. */
let ownCount = -1
let ownNextAt = 0

parentPort?.on('message', (order: DeputyOrder) => {
  if (order.kind === 'target') target = order.target
  if (order.kind === 'memory') {
    memory = new BeatMemory(order.buffer)
    ownCount = -1
  }
  look()
})

function look(): void {
  clearTimeout(timer)
  if (memory === undefined || target === undefined || isSending) return
  memory.stayAwake()
  const { count } = memory
  const beat = memory.read()
  if (beat === 'busy' || memory.count !== count) {
    timer = setTimeout(look, 1)
    return
  }
  const at = beat === undefined ? Infinity : count === ownCount ? ownNextAt : beat.dueAt + GRACE_MS
  const waitMs = at - Date.now()
  if (beat !== undefined && waitMs <= 0) {
    void stepIn(memory, target, { count, body: beat.body })
    return
  }
  memory.sleepUntil(at)
  if (memory.count !== count) timer = setTimeout(look, 0)
  else if (beat !== undefined) timer = setTimeout(look, Math.min(waitMs, 2 ** 31 - 1))
}

/** Never rejects. */
async function stepIn(
  from: BeatMemory,
  to: DeputyTarget,
  { count, body }: { readonly count: number; readonly body: string },
): Promise<void> {
  isSending = true
  if (count !== ownCount) failures = 0
  const sent = await send(to, body)
  isSending = false
  parentPort?.postMessage(sent.message)
  if (from === memory) {
    ownCount = count
    ownNextAt = Date.now() + waitMs(to, sent)
  }
  look()
}

interface Sent {
  readonly message: DeputyReport
  readonly retryAfterMs: number | undefined
}

function waitMs({ intervalMs }: DeputyTarget, { message, retryAfterMs }: Sent): number {
  const isAccepted = message.status !== null && message.status < 300
  failures = isAccepted ? 0 : failures + 1
  if (isAccepted) return intervalMs
  const policy = { initialMs: Math.min(1000, intervalMs), maxMs: intervalMs }
  return backoffMs(policy, failures, Math.random, retryAfterMs)
}

function send(to: DeputyTarget, body: string): Promise<Sent> {
  const { url, headers, timeoutMs, seal, tls } = to
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
    outgoing.end(seal === undefined ? body : sealed(body, seal, sentAt))
  })
}
