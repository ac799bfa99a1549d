import { ConfigError, UnavailableError, type TaskContract } from '@avtomatika/protocol'

import { resolveWorkerOptions, type ResolvedWorkerOptions, type WorkerOptions } from './options.ts'
import { runUntilSignalled, type SignalHost } from './run-until-signalled.ts'
import { Session } from './session.ts'
import { SkillRegistry, type TaskHandler, type TaskOptions } from './skill.ts'
import { TaskRunner } from './task-runner.ts'
import { sleep } from './wake.ts'

/** How long handlers have to end after they were told to stop, in ms. */
const ABORT_GRACE_MS = 1000

/** Handed back tasks must be told even when the tasks used up the whole time to stop, in ms. */
const MIN_DRAIN_MS = 5000

/**
 * Takes tasks from an orchestrator and runs handlers for them.
 *
 * @example
 * ```ts
 * const worker = new Worker({ token: 'secret' })
 * worker.task('echo', ({ params }) => ({ echoed: params['text'] }))
 * await worker.run()
 * ```
 */
export class Worker {
  readonly #settings: ResolvedWorkerOptions
  readonly #skills = new SkillRegistry()
  readonly #runner: TaskRunner
  readonly #stopping = new AbortController()
  #session: Session | undefined
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  /** @throws {@link ConfigError} `CONFIG_INVALID` naming every setting that cannot be used. */
  constructor(options: WorkerOptions = {}) {
    this.#settings = resolveWorkerOptions(options)
    this.#runner = new TaskRunner({
      slots: this.#settings.maxConcurrentTasks,
      clock: this.#settings.clock,
      findSkill: (name) => this.#skills.find(name),
    })
  }

  /** The id this worker is known by. */
  get workerId(): string {
    return this.#settings.workerId
  }

  /**
   * Registers the handler of one kind of task, by name or by the contract that the blueprint uses.
   *
   * @throws {@link ConfigError} `CONFIG_INVALID` for a malformed or repeated name, and after `start`.
   */
  task(name: string, handler: TaskHandler<Record<string, unknown>, unknown>): this
  task<Params = Record<string, unknown>, Result = unknown>(
    name: string,
    options: TaskOptions<Params, Result>,
    handler: TaskHandler<Params, Result>,
  ): this
  task<Params, Result>(
    contract: TaskContract<Params, Result>,
    handler: TaskHandler<Params, Result>,
  ): this
  task<Params, Result>(
    nameOrContract: string | TaskContract<Params, Result>,
    optionsOrHandler: TaskOptions<Params, Result> | TaskHandler<Params, Result>,
    lastHandler?: TaskHandler<Params, Result>,
  ): this {
    const contract = typeof nameOrContract === 'string' ? { name: nameOrContract } : nameOrContract
    const isHandler = typeof optionsOrHandler === 'function'
    const handler = isHandler ? optionsOrHandler : lastHandler
    if (handler === undefined) throw invalid(`The task '${contract.name}' has no handler.`)
    if (this.#started !== undefined) {
      throw invalid(`The task '${contract.name}' is registered after start: register it before.`)
    }
    this.#skills.add(contract, isHandler ? {} : optionsOrHandler, handler)
    return this
  }

  /**
   * Starts; resolves when the orchestrator knows the worker, however long that takes. Called again,
   * it returns the same promise.
   *
   * @throws {@link ConfigError} `CONFIG_INVALID` when no task is registered.
   * @throws {@link UnavailableError} `SHUTTING_DOWN` when stopped before.
   */
  start(): Promise<void> {
    this.#started ??= this.#start()
    return this.#started
  }

  /**
   * Stops: takes no more tasks, lets those at work end, aborts and hands back what does not end in
   * `shutdownTimeoutMs`, delivers results, says goodbye. Never rejects; may be called again.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /**
   * Starts, and stops at SIGINT or SIGTERM. A second signal ends the process at once.
   *
   * @param host - for tests. Default: this process.
   * @returns the exit code 0, when stopped.
   * @throws {@link ConfigError} `CONFIG_INVALID` when no task is registered.
   */
  run(host: SignalHost = process): Promise<number> {
    return runUntilSignalled(this, this.#stopping.signal, host)
  }

  async #start(): Promise<void> {
    const skills = this.#skills.infos()
    if (skills.length === 0)
      throw invalid('No task is registered: call worker.task(…) before start.')
    const isStopped = this.#stopping.signal
    if (!isStopped.aborted) {
      this.#session = new Session({ settings: this.#settings, skills, runner: this.#runner })
      this.#session.start()
      await this.#session.registration.whenRegistered(isStopped)
    }
    if (this.#session?.registration.everRegistered === true) return
    const message = 'The worker was stopped before it was registered.'
    throw new UnavailableError('SHUTTING_DOWN', { message })
  }

  async #stop(): Promise<void> {
    const { clock, shutdownTimeoutMs, logger } = this.#settings
    this.#stopping.abort()
    const session = this.#session
    if (session === undefined) return
    logger.info({ running: this.#runner.load }, 'stopping')
    const endAt = clock.now() + shutdownTimeoutMs
    this.#runner.drain()
    await session.stopPolling()
    await this.#within(shutdownTimeoutMs, (signal) => this.#runner.whenIdle(signal))
    this.#runner.abortAll('shutdown')
    await this.#within(ABORT_GRACE_MS, (signal) => this.#runner.whenIdle(signal))
    this.#runner.handBackAll()
    const restMs = Math.max(endAt - clock.now(), MIN_DRAIN_MS)
    await this.#within(restMs, (signal) => session.results.drain(signal))
    await session.close()
    logger.info({}, 'stopped')
  }

  /** Lets something take its time, but no more than this. */
  async #within(ms: number, wait: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const done = new AbortController()
    const expire = sleep(this.#settings.clock, ms, done.signal).then(() => {
      done.abort()
    })
    await wait(done.signal)
    done.abort()
    await expire
  }
}

function invalid(message: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', { message })
}
