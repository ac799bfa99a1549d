import type { SkillInfo, TaskResult } from '@avtomatika/protocol'

import { AuthorizedTransport } from './authorized-transport.ts'
import { Heartbeat, type WorkerState } from './heartbeat.ts'
import { ThreadDeputy, type OpenDeputy } from './heartbeat-deputy.ts'
import { HttpTransport } from './http-transport.ts'
import type { WorkerLogger } from './logger.ts'
import type { ResolvedWorkerOptions } from './options.ts'
import type { OrchestratorTarget } from './orchestrator-targets.ts'
import { pollLoop } from './poll-loop.ts'
import type { PollTurns } from './poll-turns.ts'
import { ProgressReporter } from './progress.ts'
import { Registration, registrationMessage } from './registration.ts'
import { ResultQueue } from './result-queue.ts'
import { FileResultStore } from './result-store.ts'
import { TaskEvents, type EventChannel } from './task-events.ts'
import type { TaskOutcome } from './task-outcome.ts'
import type {
  PollScope,
  ProgressChannel,
  TaskHome,
  TaskIdentity,
  TaskRunner,
} from './task-runner.ts'
import type { Transport, TransportTarget } from './transport.ts'

/** What a session needs. */
export interface SessionOptions {
  readonly settings: ResolvedWorkerOptions
  readonly orchestrator: OrchestratorTarget
  readonly skills: readonly SkillInfo[]
  readonly runner: TaskRunner
  readonly turns: PollTurns
}

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
  readonly #runner: TaskRunner
  readonly #transport: Transport
  readonly #heartbeat: Heartbeat
  readonly #nextTurn: ReturnType<PollTurns['join']>
  /** Ends everything. */
  readonly #life = new AbortController()
  /** Ends registration and heartbeat, so that nothing is said after the goodbye. */
  readonly #beating = new AbortController()
  /** Ends the polls only. */
  readonly #polling = new AbortController()
  #beats: Promise<unknown> = Promise.resolve()
  #polls: Promise<unknown> = Promise.resolve()

  constructor({ settings, orchestrator, skills, runner, turns }: SessionOptions) {
    const { workerId, clock, random, tls } = settings
    const { url, token, weight } = orchestrator
    this.#settings = settings
    this.#url = url
    this.#runner = runner
    this.#nextTurn = turns.join(weight)
    this.logger = settings.logger.child({ workerId, orchestrator: url })
    const target = { url, token, workerId, tls }
    const bare = settings.createTransport(target)
    const canAskForToken = tls?.cert !== undefined
    const transport = new AuthorizedTransport({
      transport: bare,
      clock,
      logger: this.logger,
      canAskForToken,
    })
    this.#transport = transport
    const common = { transport, clock, random, logger: this.logger }
    this.registration = new Registration({
      ...common,
      backoff: settings.registrationBackoff,
      message: registrationMessage(settings, skills),
    })
    this.results = new ResultQueue({
      ...common,
      backoff: settings.resultBackoff,
      capacity: settings.maxPendingResults,
      store: this.#openStore(),
      signal: this.#life.signal,
    })
    this.#heartbeat = new Heartbeat({
      ...common,
      backoff: settings.heartbeatBackoff,
      registration: this.registration,
      workerId,
      intervalMs: settings.heartbeatIntervalMs,
      debounceMs: settings.heartbeatDebounceMs,
      cooldownMs: settings.heartbeatCooldownMs,
      // A thread can only speak HTTP, and only by the clock of the machine.
      openDeputy:
        settings.heartbeatThread && bare instanceof HttpTransport
          ? this.#deputyFor(target, () => transport.token)
          : undefined,
      state: () => this.#state(skills),
      skills,
      onCancel: (taskIds) => {
        runner.cancel(taskIds, this)
      },
    })
  }

  /** How it is doing. */
  get health(): SessionHealth {
    const { acceptedAt, accepted, failed } = this.#heartbeat.health
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
    this.#beats = Promise.all([this.registration.run(signal), this.#heartbeat.run(signal)])
    this.#polls = pollLoop(this.#pollOptions(), this.#polling.signal)
  }

  /** Takes no more tasks; the rest goes on. Resolves when no task can arrive any more. */
  async stopPolling(): Promise<void> {
    this.#polling.abort()
    this.#heartbeat.touch()
    await this.#polls
  }

  /** Says goodbye and ends everything. */
  async close(): Promise<void> {
    await this.stopPolling()
    this.#beating.abort()
    await this.#beats
    if (this.registration.everRegistered) await this.#heartbeat.goodbye(this.#life.signal)
    this.#tellLost()
    this.#life.abort()
    await this.results.settled()
    await this.#transport.close()
  }

  openProgress({ jobId, taskId }: TaskIdentity): ProgressChannel {
    const { clock, newId, workerId } = this.#settings
    return new ProgressReporter({
      transport: this.#transport,
      clock,
      newId,
      workerId,
      jobId,
      taskId,
      logger: this.logger,
      signal: this.#life.signal,
    })
  }

  openEvents({ jobId, taskId }: TaskIdentity): EventChannel {
    const { clock, random, newId, workerId, resultBackoff: backoff } = this.#settings
    return new TaskEvents({
      transport: this.#transport,
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
    if (attempt === undefined) return false
    return this.results.pending.some(
      (result) => result.task_id === taskId && result.attempt === attempt,
    )
  }

  touch(): void {
    this.#heartbeat.touch()
  }

  #state(skills: readonly SkillInfo[]): WorkerState {
    const waiting = this.results.pending.map(({ task_id: taskId }) => taskId)
    const { isDraining, scope, load, hot } = this.#runner
    return {
      status: isDraining ? 'draining' : scope.max === 0 ? 'busy' : 'idle',
      load,
      taskIds: [...new Set([...this.#runner.taskIds(this), ...waiting])],
      availableSkills: scope.only ?? skills.map(({ name }) => name),
      hot,
    }
  }

  #pollOptions() {
    const { clock, random, pollBackoff, workerId } = this.#settings
    return {
      transport: this.#transport,
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
        this.#runner.admit(payload, this)
      },
    }
  }

  #openStore(): FileResultStore | undefined {
    const { resultDirectory: directory, workerId } = this.#settings
    if (directory === undefined) return undefined
    const options = { directory, workerId, orchestratorUrl: this.#url, logger: this.logger }
    return new FileResultStore(options)
  }

  #deputyFor(target: TransportTarget, token: () => string | undefined): OpenDeputy {
    const { heartbeatIntervalMs: intervalMs } = this.#settings
    return (onBeat) => new ThreadDeputy({ target, intervalMs, logger: this.logger, token, onBeat })
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
