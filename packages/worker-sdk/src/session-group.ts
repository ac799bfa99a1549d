import type { SkillInfo, TaskResult } from '@avtomatika/protocol'

import type { Commands } from './commands.ts'
import type { ResolvedWorkerOptions } from './options.ts'
import { PollTurns } from './poll-turns.ts'
import { Session, type SessionHealth } from './session.ts'
import type { TaskRunner } from './task-runner.ts'

/** What a group needs. */
export interface SessionGroupOptions {
  readonly settings: ResolvedWorkerOptions
  readonly skills: readonly SkillInfo[]
  readonly runner: TaskRunner
  readonly commands: Commands
}

/** The worker's life with all its orchestrators; each session goes its own way, the slots are shared. */
export class SessionGroup {
  readonly #sessions: readonly Session[]

  constructor({ settings, skills, runner, commands }: SessionGroupOptions) {
    const { orchestratorMode: mode, clock, pollTimeoutMs } = settings
    const turns = new PollTurns({ slots: runner, mode, clock, pollTimeoutMs })
    this.#sessions = settings.orchestrators.map(
      (orchestrator) => new Session({ settings, orchestrator, skills, runner, turns, commands }),
    )
  }

  /** Whether any orchestrator has ever known this worker. */
  get everRegistered(): boolean {
    return this.#sessions.some(({ registration }) => registration.everRegistered)
  }

  /** The results that no orchestrator has answered yet. */
  get pending(): readonly TaskResult[] {
    return this.#sessions.flatMap(({ results }) => results.pending)
  }

  /** How each session is doing, best priority first. */
  get health(): readonly SessionHealth[] {
    return this.#sessions.map(({ health }) => health)
  }

  /**
   * Takes up results of an earlier process, then starts all loops.
   *
   * @throws {@link ConfigError} `CONFIG_INVALID` when results cannot be kept where they should.
   */
  async start(): Promise<void> {
    await Promise.all(this.#sessions.map(({ results }) => results.restore()))
    for (const session of this.#sessions) session.start()
  }

  /** Waits until the first orchestrator knows the worker, or the abort. */
  async whenRegistered(signal: AbortSignal): Promise<void> {
    const done = new AbortController()
    const either = AbortSignal.any([signal, done.signal])
    const waits = this.#sessions.map(({ registration }) => registration.whenRegistered(either))
    await Promise.race(waits)
    done.abort()
    await Promise.all(waits)
  }

  /** Says that something changed which a heartbeat tells. */
  touch(): void {
    for (const session of this.#sessions) session.touch()
  }

  /** Takes no more tasks; the rest goes on. Resolves when no task can arrive any more. */
  async stopPolling(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.stopPolling()))
  }

  /** Waits until every result is answered, or the abort. */
  async drain(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#sessions.map(({ results }) => results.drain(signal)))
  }

  /** Says goodbye everywhere and ends everything. */
  async close(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.close()))
  }
}
