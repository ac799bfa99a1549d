import { isJsonObject, type SkillInfo, type TaskResult } from '@avtomatika/protocol'

import type { WorkerState } from './heartbeat.ts'
import type { WorkerLogger } from './logger.ts'
import type { ResolvedWorkerOptions } from './options.ts'
import { pollLoop } from './poll-loop.ts'
import type { PollTurns } from './poll-turns.ts'
import { ProgressReporter } from './progress.ts'
import type { Registration } from './registration.ts'
import type { ResultQueue } from './result-queue.ts'
import { createSessionParts, type SessionOptions, type SessionParts } from './session-parts.ts'
import { TaskEvents, type EventChannel } from './task-events.ts'
import type { TaskOutcome } from './task-outcome.ts'
import type {
  PollScope,
  ProgressChannel,
  TaskHome,
  TaskIdentity,
  TaskRunner,
} from './task-runner.ts'

/** How one session is doing. */
export interface SessionHealth {
  readonly url: string
  readonly isRegistered: boolean
  /** The last sign of life that was accepted, in ms since 1970; `-Infinity` = none. */
  readonly acceptedAt: number
  readonly heartbeats: { readonly accepted: number; readonly failed: number }
  readonly results: {
    readonly waiting: number
    readonly delivered: number
    readonly refused: number
    readonly failed: number
  }
}

/** The worker's life with one orchestrator: registration, heartbeat, polls, results. */
export class Session implements TaskHome {
  readonly logger: WorkerLogger
  readonly registration: Registration
  readonly results: ResultQueue
  readonly #settings: ResolvedWorkerOptions
  readonly #url: string
  readonly #skills: readonly SkillInfo[]
  readonly #runner: TaskRunner
  readonly #parts: SessionParts
  readonly #nextTurn: ReturnType<PollTurns['join']>
  readonly #sendFrame: ((text: string) => boolean) | undefined
  /** Ends everything. */
  readonly #life = new AbortController()
  /** Ends registration, heartbeat and connection, so that nothing is said after the goodbye. */
  readonly #beating = new AbortController()
  /** Ends the polls only. */
  readonly #polling = new AbortController()
  #beats: Promise<unknown> = Promise.resolve()
  #polls: Promise<unknown> = Promise.resolve()

  constructor(options: SessionOptions) {
    const { settings, orchestrator, skills, runner, turns } = options
    this.#settings = settings
    this.#url = orchestrator.url
    this.#skills = skills
    this.#runner = runner
    this.#nextTurn = turns.join(orchestrator.weight)
    this.#parts = createSessionParts(options, {
      state: () => this.#state(),
      cancel: (taskIds) => {
        runner.cancel(taskIds, this)
      },
      signal: this.#life.signal,
    })
    const { logger, registration, results, line } = this.#parts
    this.logger = logger
    this.registration = registration
    this.results = results
    if (line !== undefined) this.#sendFrame = (text) => line.send(text)
  }

  /** How it is doing. */
  get health(): SessionHealth {
    const { acceptedAt, accepted, failed } = this.#parts.heartbeat.health
    const { isRegistered, registeredAt } = this.registration
    return {
      url: this.#url,
      isRegistered,
      acceptedAt: Math.max(acceptedAt, registeredAt),
      heartbeats: { accepted, failed },
      results: { waiting: this.results.pending.length, ...this.results.counts },
    }
  }

  /** Starts all loops; {@link ResultQueue.restore} comes before. */
  start(): void {
    const { signal } = this.#beating
    this.#beats = Promise.all([
      this.registration.run(signal),
      this.#parts.heartbeat.run(signal),
      this.#parts.line?.run(signal),
    ])
    this.#polls = pollLoop(this.#pollOptions(), this.#polling.signal)
  }

  /** Takes no more tasks; the rest goes on. Resolves when no task can arrive any more. */
  async stopPolling(): Promise<void> {
    this.#polling.abort()
    this.#parts.heartbeat.touch()
    await this.#polls
  }

  /** Says goodbye and ends everything. */
  async close(): Promise<void> {
    await this.stopPolling()
    this.#beating.abort()
    await this.#beats
    if (this.registration.everRegistered) await this.#parts.heartbeat.goodbye(this.#life.signal)
    this.#tellLost()
    this.#life.abort()
    await Promise.all([this.results.settled(), this.#parts.acknowledgements.settled()])
    await this.#parts.transport.close()
  }

  openProgress({ jobId, taskId }: TaskIdentity): ProgressChannel {
    const { clock, newId, workerId } = this.#settings
    return new ProgressReporter({
      transport: this.#parts.transport,
      clock,
      newId,
      workerId,
      jobId,
      taskId,
      logger: this.logger,
      sendFrame: this.#sendFrame,
      signal: this.#life.signal,
    })
  }

  openEvents({ jobId, taskId }: TaskIdentity): EventChannel {
    const { clock, random, newId, workerId, resultBackoff: backoff } = this.#settings
    return new TaskEvents({
      transport: this.#parts.transport,
      clock,
      random,
      backoff,
      newId,
      workerId,
      jobId,
      taskId,
      can: (feature) => this.registration.can(feature),
      logger: this.logger,
      signal: this.#life.signal,
    })
  }

  deliver(
    { jobId, taskId, attempt }: TaskIdentity,
    outcome: TaskOutcome,
    before?: Promise<void>,
  ): void {
    const result: TaskResult = {
      job_id: jobId,
      task_id: taskId,
      worker_id: this.#settings.workerId,
      ...(attempt !== undefined && { attempt }),
      ...outcome,
    }
    this.results.add(result, before)
  }

  // Without an attempt a new task cannot be told from an old one: some orchestrators use one id for
  // all tasks of a job.
  hasResult({ taskId, attempt }: TaskIdentity): boolean {
    return attempt !== undefined && this.results.has(taskId, attempt)
  }

  /** Says that something changed which a heartbeat tells. */
  touch(): void {
    this.#parts.heartbeat.touch()
  }

  noteStart(): void {
    this.#parts.heartbeat.touch()
  }

  noteEnd(): void {
    this.#parts.heartbeat.noteEnd()
  }

  #state(): WorkerState {
    const waiting = this.results.pending.map(({ task_id: taskId }) => taskId)
    const { isDraining, scope, load, hot } = this.#runner
    return {
      status: isDraining ? 'draining' : scope.max === 0 ? 'busy' : 'idle',
      load,
      taskIds: [...new Set([...this.#runner.taskIds(this), ...waiting])],
      availableSkills: scope.only ?? this.#skills.map(({ name }) => name),
      hot,
    }
  }

  #pollOptions() {
    const { clock, random, pollBackoff, workerId } = this.#settings
    return {
      transport: this.#parts.transport,
      clock,
      random,
      logger: this.logger,
      backoff: pollBackoff,
      registration: this.registration,
      workerId,
      whenDeliverable: (signal: AbortSignal) =>
        this.results.changed.until(() => !this.results.isFull, signal),
      nextTurn: this.#nextTurn,
      scope: () => this.#runner.scope,
      whenWider: (scope: PollScope, signal: AbortSignal) => this.#runner.whenWider(scope, signal),
      admit: (payload: unknown) => {
        this.#admit(payload)
      },
      cancel: (taskIds: readonly string[]) => {
        this.#runner.cancel(taskIds, this)
      },
    }
  }

  #admit(payload: unknown): void {
    const taskId = isJsonObject(payload) ? payload['task_id'] : undefined
    const isAwaited = typeof taskId === 'string' && this.registration.can('acks')
    if (isAwaited) this.#parts.acknowledgements.add(taskId)
    this.#runner.admit(payload, this)
  }

  #tellLost(): void {
    const taskIds = this.results.pending.map(({ task_id: taskId }) => taskId)
    if (taskIds.length === 0) return
    if (this.#settings.resultDirectory === undefined) {
      this.logger.error({ taskIds }, 'stopped with results not delivered')
    } else {
      this.logger.warn({ taskIds }, 'stopped with results not delivered; the next start sends them')
    }
  }
}
