// Heartbeat rules.  H1 One beat per interval, give or take JITTER, so that workers which started together
// do not beat together.  H2 A change is told debounceMs later, with all that changed by then, but not
// less than cooldownMs after the last beat; more changes do not put it off.  H3 A beat lists every task
// whose lease must live: those at work, and those whose result waits.  H4 A worker that is too busy to
// beat is stood in for by a thread.
import {
  heartbeatReplySchema,
  isJsonObject,
  PATHS,
  type HeartbeatMessage,
  type SkillInfo,
} from '@avtomatika/protocol'

import { retryWaitMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { DeputyBeat, HeartbeatDeputy, OpenDeputy } from './heartbeat-deputy.ts'
import type { WorkerLogger } from './logger.ts'
import type { Registration } from './registration.ts'
import { REQUEST_TIMEOUT_MS, type Reply, type Transport } from './transport.ts'
import { Wake } from './wake.ts'

/** How much an interval varies, as a part of it. */
const JITTER = 0.1

/** How long the goodbye may take, in ms: the process is waiting to end. */
const GOODBYE_TIMEOUT_MS = 5000

/** How the worker is, at the moment of a beat. */
export interface WorkerState {
  readonly status: 'idle' | 'busy' | 'draining'
  /** Tasks at work. */
  readonly load: number
  /** Ids of the tasks to keep the lease of. */
  readonly taskIds: readonly string[]
  /** Names of the tasks that can be started now. */
  readonly availableSkills: readonly string[]
  /** What is loaded, and the tasks that can start without loading; absent = not told. */
  readonly hot?:
    { readonly cache: readonly string[]; readonly skills: readonly string[] } | undefined
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
  /** How long changes are gathered, in ms. */
  readonly debounceMs: number
  /** Shortest time between two beats, in ms. */
  readonly cooldownMs: number
  /** Default: nobody beats in place of a busy worker. */
  readonly openDeputy?: OpenDeputy | undefined
  readonly state: () => WorkerState
  readonly skills: readonly SkillInfo[]
  /** A mark of the skills: an orchestrator that knows others asks for them. */
  readonly skillsHash: string
  /** Aborts these tasks. */
  readonly onCancel: (taskIds: readonly string[]) => void
  /** Told which tasks the orchestrator has seen in a list. */
  readonly onListed?: ((taskIds: readonly string[]) => void) | undefined
}

/** How the heartbeat is doing. */
export interface HeartbeatHealth {
  /** When the orchestrator last accepted one, in ms since 1970; `-Infinity` = never. */
  readonly acceptedAt: number
  readonly accepted: number
  readonly failed: number
}

/** Tells one orchestrator that the worker lives and what it works at; hears which tasks to abort. */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #touched = new Wake()
  #deputy: HeartbeatDeputy | undefined
  #touchedAt: number | undefined
  #nextAt = -Infinity
  #lastBeatAt = -Infinity
  #failures = 0
  /** Set while a failed beat waits for its next try. */
  #retryAt: number | undefined
  #sendSkills = false
  /** Whether the deputy is told what is to say at the end of this turn. */
  #isBriefing = false
  /** Whether the deputy sent the last beat. */
  #isStoodInFor = false
  #health: HeartbeatHealth = { acceptedAt: -Infinity, accepted: 0, failed: 0 }

  constructor(options: HeartbeatOptions) {
    this.#options = options
  }

  /** How it is doing. */
  get health(): HeartbeatHealth {
    return this.#health
  }

  /**
   * Says that something changed which a beat tells. The deputy knows of it before the next handler runs:
   * that one may be busy for long, and what came together is told together.
   */
  touch(): void {
    this.noteEnd()
    if (this.#deputy === undefined || this.#isBriefing) return
    this.#isBriefing = true
    queueMicrotask(() => {
      this.#isBriefing = false
      this.#brief()
    })
  }

  /** Says that a task ended: the deputy does no harm if it lists that one once more. */
  noteEnd(): void {
    if (this.#touchedAt !== undefined) return
    this.#touchedAt = this.#options.clock.now()
    this.#touched.notify()
  }

  /** Beats until the abort. */
  async run(signal: AbortSignal): Promise<void> {
    const { registration, openDeputy } = this.#options
    await registration.whenRegistered(signal)
    if (signal.aborted) return
    this.#deputy = openDeputy?.((beat) => {
      this.#onDeputyBeat(beat)
    })
    // The registration was the first sign of life.
    this.#plan()
    while (!signal.aborted) {
      await registration.whenRegistered(signal)
      this.#brief()
      await this.#whenDue(signal)
      if (!signal.aborted) await this.#beat(signal)
    }
    const deputy = this.#deputy
    this.#deputy = undefined
    await deputy?.close()
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
    if (this.#retryAt !== undefined) return this.#retryAt
    if (this.#touchedAt === undefined) return this.#nextAt
    const { debounceMs, cooldownMs } = this.#options
    const gatheredAt = this.#touchedAt + debounceMs
    return Math.min(Math.max(gatheredAt, this.#lastBeatAt + cooldownMs), this.#nextAt)
  }

  /** Plans the next regular beat. */
  #plan(): void {
    const { clock, random, intervalMs } = this.#options
    this.#lastBeatAt = clock.now()
    this.#nextAt = this.#lastBeatAt + intervalMs * (1 - JITTER + 2 * JITTER * random())
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const isFull = this.#sendSkills
    const message = this.#message(isFull)
    this.#touchedAt = undefined
    this.#isStoodInFor = false
    this.#retryAt = undefined
    this.#plan()
    this.#brief()
    const reply = await this.#send(message, REQUEST_TIMEOUT_MS, signal)
    if (reply.ok) this.#options.onListed?.(message.current_tasks ?? [])
    if (!signal.aborted) this.#digest(reply, isFull)
  }

  #digest(reply: Reply, wasFull: boolean): void {
    const { clock, random, backoff, logger } = this.#options
    if (isForgotten(reply)) this.#beForgotten()
    else if (reply.ok) {
      this.#failures = 0
      this.#count(true)
      this.#obey(reply.body, wasFull)
    } else {
      this.#count(false)
      this.#failures += 1
      this.#retryAt = clock.now() + retryWaitMs(backoff, this.#failures, random, reply)
      this.#brief()
      const isRefused = reply.status === 401 || reply.status === 403
      logger[isRefused ? 'error' : 'warn']({ err: reply.error }, 'heartbeat failed')
    }
  }

  #beForgotten(): void {
    this.#failures = 0
    // The registration tells them.
    this.#sendSkills = false
    this.#count(false)
    this.#deputy?.rest()
    this.#options.registration.lost()
  }

  #onDeputyBeat({ status, body, sentAt }: DeputyBeat): void {
    const { logger } = this.#options
    const fields = { status, sentAt: new Date(sentAt).toISOString() }
    // Once is enough for one handler, however long it takes.
    logger[this.#isStoodInFor ? 'debug' : 'warn'](
      fields,
      'the worker was too busy to beat; the heartbeat thread did',
    )
    this.#isStoodInFor = true
    const isAccepted = status !== null && status >= 200 && status < 300
    if (status === 404) this.#beForgotten()
    else this.#count(isAccepted, sentAt)
    if (!isAccepted) return
    this.#plan()
    this.#obey(body, false)
  }

  #count(isAccepted: boolean, at = this.#options.clock.now()): void {
    const { acceptedAt, accepted, failed } = this.#health
    this.#health = isAccepted
      ? { acceptedAt: Math.max(acceptedAt, at), accepted: accepted + 1, failed }
      : { acceptedAt, accepted, failed: failed + 1 }
  }

  /** The deputy always knows what to say and when: there is no telling when it will have to. */
  #brief(): void {
    if (this.#deputy === undefined || !this.#options.registration.isRegistered) return
    this.#deputy.brief({ dueAt: this.#dueAt(), body: JSON.stringify(this.#message(false)) })
  }

  #message(withSkills: boolean): HeartbeatMessage {
    const { workerId, state, skills, skillsHash } = this.#options
    const { status, load, taskIds, availableSkills, hot } = state()
    return {
      worker_id: workerId,
      status,
      load,
      current_tasks: [...taskIds],
      available_skills: [...availableSkills],
      skills_hash: skillsHash,
      ...(hot !== undefined && { hot_cache: [...hot.cache], hot_skills: [...hot.skills] }),
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
    // Newer orchestrators spread the beats of their workers this way.
    const shiftMs = Number(reply.data['next_heartbeat_jitter_ms'] ?? 0)
    if (shiftMs > 0) this.#nextAt += Math.min(shiftMs, this.#options.intervalMs)
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
