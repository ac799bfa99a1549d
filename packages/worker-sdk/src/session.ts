import type { SkillInfo, TaskResult } from '@avtomatika/protocol'

import { Heartbeat, type WorkerState } from './heartbeat.ts'
import type { WorkerLogger } from './logger.ts'
import type { ResolvedWorkerOptions } from './options.ts'
import { pollLoop } from './poll-loop.ts'
import { ProgressReporter } from './progress.ts'
import { Registration, registrationMessage } from './registration.ts'
import { ResultQueue } from './result-queue.ts'
import type { TaskOutcome } from './task-outcome.ts'
import type { ProgressChannel, TaskHome, TaskIdentity, TaskRunner } from './task-runner.ts'
import type { Transport } from './transport.ts'

/** What a session needs. */
export interface SessionOptions {
  readonly settings: ResolvedWorkerOptions
  readonly skills: readonly SkillInfo[]
  readonly runner: TaskRunner
}

/** The worker's life with one orchestrator: registration, heartbeat, polls, results. */
export class Session implements TaskHome {
  readonly logger: WorkerLogger
  readonly registration: Registration
  readonly results: ResultQueue
  readonly #settings: ResolvedWorkerOptions
  readonly #runner: TaskRunner
  readonly #transport: Transport
  readonly #heartbeat: Heartbeat
  /** Ends everything. */
  readonly #life = new AbortController()
  /** Ends registration and heartbeat, so that nothing is said after the goodbye. */
  readonly #beating = new AbortController()
  /** Ends the polls only. */
  readonly #polling = new AbortController()
  #beats: Promise<unknown> = Promise.resolve()
  #polls: Promise<unknown> = Promise.resolve()

  constructor({ settings, skills, runner }: SessionOptions) {
    const { workerId, orchestratorUrl: url, token, clock, random } = settings
    this.#settings = settings
    this.#runner = runner
    this.logger = settings.logger.child({ workerId, orchestrator: url })
    this.#transport = settings.createTransport({ url, token, workerId })
    const common = { transport: this.#transport, clock, random, logger: this.logger }
    this.registration = new Registration({
      ...common,
      backoff: settings.registrationBackoff,
      message: registrationMessage(settings, skills),
    })
    this.results = new ResultQueue({
      ...common,
      backoff: settings.resultBackoff,
      capacity: settings.maxPendingResults,
      signal: this.#life.signal,
    })
    this.#heartbeat = new Heartbeat({
      ...common,
      backoff: settings.heartbeatBackoff,
      registration: this.registration,
      workerId,
      intervalMs: settings.heartbeatIntervalMs,
      state: () => this.#state(),
      skills,
      onCancel: (taskIds) => {
        runner.cancel(taskIds, this)
      },
    })
  }

  /** Starts all loops. */
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
    const lost = this.results.pending.map(({ task_id: taskId }) => taskId)
    if (lost.length > 0) this.logger.error({ taskIds: lost }, 'stopped with results not delivered')
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

  #state(): WorkerState {
    const waiting = this.results.pending.map(({ task_id: taskId }) => taskId)
    const { isDraining, free, load } = this.#runner
    return {
      status: isDraining ? 'draining' : free === 0 ? 'busy' : 'idle',
      load,
      taskIds: [...new Set([...this.#runner.taskIds(this), ...waiting])],
    }
  }

  #pollOptions() {
    const { clock, random, pollBackoff, workerId, pollTimeoutMs } = this.#settings
    return {
      transport: this.#transport,
      clock,
      random,
      logger: this.logger,
      backoff: pollBackoff,
      registration: this.registration,
      workerId,
      pollTimeoutMs,
      room: () => this.#runner.free,
      whenRoom: (signal: AbortSignal) => this.#whenRoom(signal),
      admit: (payload: unknown) => {
        this.#runner.admit(payload, this)
      },
    }
  }

  async #whenRoom(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.results.isFull) await this.results.changed.until(() => !this.results.isFull, signal)
      else if (this.#runner.free === 0) await this.#runner.changed.wait(signal)
      else return
    }
  }
}
