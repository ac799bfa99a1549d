// Events of one task go out in the order in which they were emitted, each until it is answered, and
// before the task's result: after that the job does not wait for this task any more (D-16). What comes
// while a message is on its way goes with the next one, all together if the orchestrator takes batches.
import {
  isJsonObject,
  MAX_BATCHED_EVENTS,
  PATHS,
  STREAM_EVENT,
  streamPayload,
  UnavailableError,
  type WorkerEvent,
  type WorkerFeature,
} from '@avtomatika/protocol'

import { retryWaitMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import { isRefusal } from './result-answer.ts'
import { PermanentError, ResourceExhaustedError } from './task-error.ts'
import { REQUEST_TIMEOUT_MS, type Transport } from './transport.ts'
import { sleep } from './wake.ts'

/** How long the result waits for events that nobody answers, in ms. */
export const EVENT_FLUSH_MS = 30_000

/** Events of one task that may wait; a handler that emits more without waiting is told so. */
const MAX_WAITING_EVENTS = 1000

/** Well below what an orchestrator takes in one message. */
const MAX_BATCH_CHARACTERS = 256 * 1024

/** Sends the events of one task. */
export interface EventChannel {
  /** Resolves when the orchestrator has the event; rejects when it refuses it. */
  emit(type: string, payload: Readonly<Record<string, unknown>>): Promise<void>
  /** The same for a piece of output; one that the orchestrator could not pass on is not sent. */
  stream(chunk: unknown): Promise<void>
  /** Takes no more events; resolves when those that wait are out, or given up. Never rejects. */
  flush(): Promise<void>
}

/** What a sender needs. */
export interface TaskEventsOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  readonly newId: () => string
  readonly logger: WorkerLogger
  readonly workerId: string
  readonly jobId: string
  readonly taskId: string
  /** What the orchestrator can do; asked each time, as it may be another after a restart. */
  readonly can: (feature: WorkerFeature) => boolean
  readonly signal: AbortSignal
}

interface WaitingEvent {
  readonly body: string
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Sends the events of one task over HTTP. */
export class TaskEvents implements EventChannel {
  readonly #options: TaskEventsOptions
  /** Made with the first event: most tasks have none. */
  #givenUp: AbortController | undefined
  readonly #waiting: WaitingEvent[] = []
  #sending: Promise<void> | undefined
  #chunks = 0
  #isClosed = false

  constructor(options: TaskEventsOptions) {
    this.#options = options
  }

  async emit(type: string, payload: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.#isClosed) throw new PermanentError(`The task has ended; '${type}' was not sent.`)
    if (this.#waiting.length >= MAX_WAITING_EVENTS) {
      throw new ResourceExhaustedError(
        `${MAX_WAITING_EVENTS} events of this task wait already: wait for the one before the next.`,
      )
    }
    // Written down now: the handler may change its object afterwards.
    const body = JSON.stringify(this.#message(type, payload))
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ body, resolve, reject })
      this.#sending ??= this.#sendAll()
    })
  }

  async stream(chunk: unknown): Promise<void> {
    if (!this.#options.can('stream')) return
    // A piece that is sent again is known by its number.
    this.#chunks += 1
    await this.emit(STREAM_EVENT, streamPayload(chunk, this.#chunks))
  }

  async flush(): Promise<void> {
    this.#isClosed = true
    if (this.#sending === undefined) return
    const cancelTimer = this.#options.clock.after(EVENT_FLUSH_MS, () => {
      this.#givenUp?.abort()
    })
    await this.#sending
    cancelTimer()
  }

  /** Never rejects: each event hears what became of it. */
  async #sendAll(): Promise<void> {
    this.#givenUp ??= new AbortController()
    const signal = AbortSignal.any([this.#options.signal, this.#givenUp.signal])
    while (this.#waiting.length > 0) await this.#send(this.#takeBatch(), signal)
    this.#sending = undefined
  }

  #takeBatch(): readonly WaitingEvent[] {
    const most = this.#options.can('batch_events') ? MAX_BATCHED_EVENTS : 1
    let characters = 0
    const end = this.#waiting.findIndex(({ body }, count) => {
      characters += body.length
      return count >= most || (count > 0 && characters > MAX_BATCH_CHARACTERS)
    })
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end)
  }

  async #send(batch: readonly WaitingEvent[], signal: AbortSignal): Promise<void> {
    const { transport, clock, random, backoff, workerId } = this.#options
    const body = bodyOf(batch, workerId)
    for (let failures = 1; !signal.aborted; failures += 1) {
      const timeoutMs = REQUEST_TIMEOUT_MS
      const path = PATHS.workerEvents
      const reply = await transport.request({ method: 'POST', path, body, timeoutMs, signal })
      if (reply.ok) {
        this.#settle(batch, reply.body)
        return
      }
      if (isRefusal(reply)) {
        for (const { reject } of batch) reject(reply.error)
        return
      }
      if (signal.aborted) break
      await sleep(clock, retryWaitMs(backoff, failures, random, reply), signal)
    }
    const message = 'The event was not delivered before the worker had to go on.'
    for (const { reject } of batch) reject(new UnavailableError('SHUTTING_DOWN', { message }))
  }

  #settle(batch: readonly WaitingEvent[], body: unknown): void {
    const isBatch = batch.length > 1 && isJsonObject(body) && Array.isArray(body['results'])
    const replies: readonly unknown[] = isBatch ? (body['results'] as unknown[]) : [body]
    batch.forEach(({ resolve, reject }, i) => {
      const reply = replies[i]
      if (isJsonObject(reply) && reply['status'] === 'error') {
        const why = String(reply['message'] ?? reply['code'])
        reject(new PermanentError(`The orchestrator refused the event: ${why}`))
        return
      }
      // Without effect: the job waits for another task by now, or has ended.
      const ignored = isJsonObject(reply) ? reply['ignored'] : undefined
      if (typeof ignored === 'string') {
        this.#options.logger.info({ reason: ignored }, 'the orchestrator ignored the event')
      }
      resolve()
    })
  }

  #message(type: string, payload: Readonly<Record<string, unknown>>): WorkerEvent {
    const { newId, workerId, jobId, taskId } = this.#options
    return {
      // Stays the same when it is sent again, so that it counts once.
      event_id: newId(),
      worker_id: workerId,
      origin_worker_id: workerId,
      event_type: type,
      payload,
      target_job_id: jobId,
      target_task_id: taskId,
    }
  }
}

function bodyOf(batch: readonly WaitingEvent[], workerId: string): string {
  const bodies = batch.map(({ body }) => body)
  if (bodies.length === 1) return bodies.join('')
  return `{"worker_id":${JSON.stringify(workerId)},"events":[${bodies.join()}]}`
}
