// Heartbeat rules.  H1 One beat per interval at the latest.  H2 A change is told at once, but not less
// than COOLDOWN_MS after the last beat, and never later than that: churn cannot put a beat off.
// H3 A beat lists every task whose lease must live: those at work, and those whose result waits.
import {
  heartbeatReplySchema,
  isJsonObject,
  PATHS,
  type HeartbeatMessage,
  type SkillInfo,
} from '@avtomatika/protocol'

import { backoffMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import type { Registration } from './registration.ts'
import { REQUEST_TIMEOUT_MS, type Reply, type Transport } from './transport.ts'
import { Wake } from './wake.ts'

/** Shortest time between two beats, in ms. */
export const COOLDOWN_MS = 2000

/** How long the goodbye may take, in ms: the process is waiting to end. */
const GOODBYE_TIMEOUT_MS = 5000

/** How the worker is, at the moment of a beat. */
export interface WorkerState {
  readonly status: 'idle' | 'busy' | 'draining'
  /** Tasks at work. */
  readonly load: number
  /** Ids of the tasks to keep the lease of. */
  readonly taskIds: readonly string[]
}

/** What the heartbeat needs. */
export interface HeartbeatOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly logger: WorkerLogger
  readonly backoff: BackoffPolicy
  readonly registration: Registration
  readonly workerId: string
  readonly intervalMs: number
  readonly state: () => WorkerState
  readonly skills: readonly SkillInfo[]
  /** Aborts these tasks. */
  readonly onCancel: (taskIds: readonly string[]) => void
}

/** Tells one orchestrator that the worker lives and what it works at; hears which tasks to abort. */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #touched = new Wake()
  #isTouched = false
  #lastBeatAt = -Infinity
  #failures = 0
  #retryAt = -Infinity
  #sendSkills = false

  constructor(options: HeartbeatOptions) {
    this.#options = options
  }

  /** Says that something changed which a beat tells. */
  touch(): void {
    this.#isTouched = true
    this.#touched.notify()
  }

  /** Beats until the abort. */
  async run(signal: AbortSignal): Promise<void> {
    const { registration, clock } = this.#options
    await registration.whenRegistered(signal)
    // The registration was the first sign of life.
    this.#lastBeatAt = clock.now()
    while (!signal.aborted) {
      await registration.whenRegistered(signal)
      await this.#whenDue(signal)
      if (!signal.aborted) await this.#beat(signal)
    }
  }

  /** Tells the orchestrator that the worker leaves; tried once. */
  async goodbye(signal: AbortSignal): Promise<void> {
    const { workerId, logger } = this.#options
    const message = { worker_id: workerId, status: 'offline', load: 0, current_tasks: [] }
    const reply = await this.#send(message, GOODBYE_TIMEOUT_MS, signal)
    if (!reply.ok) logger.warn({ err: reply.error }, 'the orchestrator did not hear the goodbye')
  }

  async #whenDue(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      const ms = this.#dueAt() - clock.now()
      if (ms <= 0) return
      await this.#touched.wait(signal, { clock, ms })
    }
  }

  #dueAt(): number {
    if (this.#failures > 0) return this.#retryAt
    const gap = this.#isTouched ? COOLDOWN_MS : this.#options.intervalMs
    return this.#lastBeatAt + Math.min(gap, this.#options.intervalMs)
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { clock, random, backoff, logger, registration } = this.#options
    const isFull = this.#sendSkills
    this.#isTouched = false
    this.#lastBeatAt = clock.now()
    const reply = await this.#send(this.#message(isFull), REQUEST_TIMEOUT_MS, signal)
    if (isForgotten(reply)) {
      this.#failures = 0
      registration.lost()
    } else if (reply.ok) {
      this.#failures = 0
      this.#obey(reply.body, isFull)
    } else if (!signal.aborted) {
      this.#failures += 1
      this.#retryAt = clock.now() + backoffMs(backoff, this.#failures, random, reply.retryAfterMs)
      const isRefused = reply.status === 401 || reply.status === 403
      logger[isRefused ? 'error' : 'warn']({ err: reply.error }, 'heartbeat failed')
    }
  }

  #message(withSkills: boolean): HeartbeatMessage {
    const { workerId, state, skills } = this.#options
    const { status, load, taskIds } = state()
    return {
      worker_id: workerId,
      status,
      load,
      current_tasks: [...taskIds],
      ...(withSkills && { supported_skills: [...skills] }),
    }
  }

  #obey(body: unknown, wasFull: boolean): void {
    const reply = heartbeatReplySchema.safeParse(body)
    if (!reply.success) return
    const cancelled = reply.data.cancel_task_ids ?? []
    if (cancelled.length > 0) this.#options.onCancel(cancelled)
    // Asked again right after it was told: telling it over and over would not help.
    this.#sendSkills = reply.data.require_full_sync === true && !wasFull
    if (this.#sendSkills) this.touch()
  }

  #send(message: HeartbeatMessage, timeoutMs: number, signal: AbortSignal): Promise<Reply> {
    const { transport, workerId } = this.#options
    const path = PATHS.heartbeat(workerId)
    const body = JSON.stringify(message)
    return transport.request({ method: 'PATCH', path, body, timeoutMs, signal })
  }
}

/** 404, or an answer that knows no worker: older servers say `null`, newer ones `known: false`. */
function isForgotten(reply: Reply): boolean {
  if (!reply.ok) return reply.status === 404
  if (reply.body === null) return true
  if (!isJsonObject(reply.body)) return false
  return reply.body['known'] === false || reply.body['register_required'] === true
}
