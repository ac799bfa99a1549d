import { ConfigError, UnavailableError, type TaskContract } from '@avtomatika/protocol'

import { Admission } from './admission.ts'
import { watchCapacity } from './capacity-watch.ts'
import { Commands, type CommandHandler } from './commands.ts'
import { openHealthServer, type HealthServer } from './health-server.ts'
import { HotNames, type HotCache } from './hot-cache.ts'
import type { TaskMiddleware } from './middleware.ts'
import { resolveWorkerOptions, type ResolvedWorkerOptions, type WorkerOptions } from './options.ts'
import { runUntilSignalled, type SignalHost } from './run-until-signalled.ts'
import { SessionGroup } from './session-group.ts'
import {
  SkillRegistry,
  type TaskHandler,
  type TaskOptions,
  type ThreadTaskOptions,
} from './skill.ts'
import { TaskRunner } from './task-runner.ts'
import { threadFile, ThreadPool } from './thread-pool.ts'
import { sleep } from './wake.ts'

/** How long handlers have to end after they were told to stop, in ms. */
const ABORT_GRACE_MS = 1000

/** Handed back tasks must be told even when the tasks used up the whole time to stop, in ms. */
const MIN_DRAIN_MS = 5000

/** What the test kit works with. */
export interface WorkerInternals {
  readonly runner: TaskRunner
  readonly settings: ResolvedWorkerOptions
}

const internals = new WeakMap<Worker, WorkerInternals>()

/** For the test kit. */
export function internalsOf(worker: Worker): WorkerInternals {
  const found = internals.get(worker)
  if (found !== undefined) return found
  throw invalid('This worker was made by another copy of @avtomatika/worker-sdk.')
}

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
  readonly #threads = new ThreadPool()
  readonly #middleware: TaskMiddleware[] = []
  readonly #commands = new Commands()
  readonly #shutdownHooks: (() => unknown)[] = []
  readonly #hotCache = new HotNames(() => this.#sessions?.touch())
  readonly #admission: Admission
  readonly #runner: TaskRunner
  readonly #stopping = new AbortController()
  #sessions: SessionGroup | undefined
  #health: HealthServer | undefined
  #healthOpening: Promise<HealthServer | undefined> = Promise.resolve(undefined)
  #startedAt = 0
  /** Whether {@link run} runs: then the process is the worker, and tells its health. */
  #isMainProgram = false
  #capacityWatch: Promise<void> = Promise.resolve()
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  /** Whether something was left undone at the stop that the exit code tells. */
  #hasLeftovers = false

  /** @throws {@link ConfigError} `CONFIG_INVALID` naming every setting that cannot be used. */
  constructor(options: WorkerOptions = {}) {
    this.#settings = resolveWorkerOptions(options)
    const { clock, maxConcurrentTasks: slots, sendStacks } = this.#settings
    const skills = this.#skills
    this.#admission = new Admission({ ...this.#settings, slots, skills: () => skills.all })
    this.#runner = new TaskRunner({
      admission: this.#admission,
      clock,
      skills,
      hotCache: this.#hotCache,
      middleware: this.#middleware,
      sendStacks,
    })
    internals.set(this, { runner: this.#runner, settings: this.#settings })
  }

  /** The id this worker is known by. */
  get workerId(): string {
    return this.#settings.workerId
  }

  /** The port of the health endpoint; `undefined` while there is none. */
  get healthPort(): number | undefined {
    return this.#health?.port
  }

  /** What is loaded: also given to each handler. Orchestrators hear of a change at once. */
  get hotCache(): HotCache {
    return this.#hotCache
  }

  /** Adds something that happens around each handler. The first that is added is the outermost. */
  use(middleware: TaskMiddleware): this {
    this.#middleware.push(middleware)
    return this
  }

  /**
   * Adds what to do when an orchestrator sends a command of this name; needs the option `websockets`.
   * Cancellations are taken by the worker itself. Commands begin in their order and do not wait for one
   * another: at most 100 at a time, more are dropped.
   *
   * @throws {@link ConfigError} `CONFIG_INVALID` for a name that is empty, taken, or `cancel_task`.
   */
  onCommand(name: string, handler: CommandHandler): this {
    this.#commands.add(name, handler)
    return this
  }

  /**
   * Adds something to do when the worker has stopped: no task is taken any more, and what could be told
   * is told. The last that was added goes first. All together get what is left of `shutdownTimeoutMs`,
   * at least 5 s.
   */
  onShutdown(hook: () => unknown): this {
    this.#shutdownHooks.push(hook)
    return this
  }

  /**
   * Registers the handler of one kind of task, by name or by the contract that the blueprint uses: a
   * function, or with `thread` a file whose handler runs in a thread of its own.
   *
   * @throws {@link ConfigError} `CONFIG_INVALID` for a malformed or repeated name, wrong options, a file
   *   that is not there, and after `start`.
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
    contract: TaskContract<Params, Result>,
    options: Omit<TaskOptions<Params, Result>, 'params' | 'result'>,
    handler: TaskHandler<Params, Result>,
  ): this
  task<Params, Result>(
    nameOrContract: string | TaskContract<Params, Result>,
    options: ThreadTaskOptions<Params, Result>,
  ): this
  task<Params, Result>(
    nameOrContract: string | TaskContract<Params, Result>,
    optionsOrHandler:
      TaskOptions<Params, Result> | ThreadTaskOptions<Params, Result> | TaskHandler<Params, Result>,
    lastHandler?: TaskHandler<Params, Result>,
  ): this {
    const contract = typeof nameOrContract === 'string' ? { name: nameOrContract } : nameOrContract
    if (this.#started !== undefined) {
      throw invalid(`The task '${contract.name}' is registered after start: register it before.`)
    }
    if (typeof optionsOrHandler === 'function') {
      this.#skills.add(contract, {}, optionsOrHandler)
    } else if ('thread' in optionsOrHandler) {
      if (lastHandler !== undefined) {
        throw invalid(`The task '${contract.name}' has two handlers: a function and a thread.`)
      }
      const file = threadFile(optionsOrHandler.thread)
      const options = { ...optionsOrHandler, isThreaded: true }
      // What the file returns is checked by the schema, as there is no type to check.
      const handler = this.#threads.handlerOf(file) as TaskHandler<Params, Result>
      this.#skills.add(contract, options, handler)
    } else {
      if (lastHandler === undefined) throw invalid(`The task '${contract.name}' has no handler.`)
      this.#skills.add(contract, optionsOrHandler, lastHandler)
    }
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
   * Starts, and stops at SIGINT or SIGTERM. A second signal ends the process at once. So does the stop
   * when a handler still runs after it: its task was handed back, and nothing else would end it.
   *
   * @param host - for tests. Default: this process.
   * @returns the exit code when stopped: 0, or 1 when something was left behind: a handler that did not
   *   stop, a result that was not delivered, a shutdown hook that failed.
   * @throws {@link ConfigError} `CONFIG_INVALID` when no task is registered.
   */
  async run(host: SignalHost = process): Promise<number> {
    this.#isMainProgram = true
    await runUntilSignalled(this, this.#stopping.signal, host)
    const exitCode = this.#hasLeftovers ? 1 : 0
    if (this.#runner.load > 0) host.exit(exitCode)
    return exitCode
  }

  async #start(): Promise<void> {
    const skills = this.#skills.infos((skill) => this.#admission.limitOf(skill))
    if (skills.length === 0)
      throw invalid('No task is registered: call worker.task(…) before start.')
    const isStopped = this.#stopping.signal
    if (!isStopped.aborted) {
      const settings = this.#announced()
      for (const unused of settings.unusedVariables) {
        settings.logger.warn(unused, `${unused.name} is set and has no effect: ${unused.reason}`)
      }
      if (this.#commands.names.length > 0 && !settings.websockets) {
        const commands = this.#commands.names
        settings.logger.warn({ commands }, 'commands cannot arrive: the option websockets is off')
      }
      this.#sessions = new SessionGroup({
        settings,
        skills,
        runner: this.#runner,
        commands: this.#commands,
      })
      await this.#openHealth(this.#sessions)
      await this.#sessions.start().catch((error: unknown) => this.#failStart(error))
      this.#watchCapacity()
      await this.#sessions.whenRegistered(isStopped)
    }
    if (this.#sessions?.everRegistered === true) return
    const message = 'The worker was stopped before it was registered.'
    throw new UnavailableError('SHUTTING_DOWN', { message })
  }

  async #stop(): Promise<void> {
    const { clock, shutdownTimeoutMs, logger } = this.#settings
    this.#stopping.abort()
    const endAt = clock.now() + shutdownTimeoutMs
    const restMs = (): number => Math.max(endAt - clock.now(), MIN_DRAIN_MS)
    const sessions = this.#sessions
    logger.info({ running: this.#runner.load }, 'stopping')
    this.#runner.drain()
    await sessions?.stopPolling()
    // Without a session, too: the test kit runs tasks.
    await this.#endTasks()
    if (sessions !== undefined) {
      await this.#within(restMs(), (signal) => sessions.drain(signal))
      if (sessions.pending.length > 0) this.#hasLeftovers = true
      await sessions.close()
    }
    await this.#capacityWatch
    let hasFailed = true
    await this.#within(restMs(), async () => {
      hasFailed = await this.#runShutdownHooks()
    })
    if (hasFailed) this.#hasLeftovers = true
    await this.#threads.close()
    await this.#closeHealth()
    logger.info({}, 'stopped')
  }

  /** Lets the tasks end; those that do not are aborted, then given back. */
  async #endTasks(): Promise<void> {
    if (this.#runner.load === 0) return
    await this.#within(this.#settings.shutdownTimeoutMs, (signal) => this.#runner.whenIdle(signal))
    this.#runner.abortAll('shutdown')
    await this.#within(ABORT_GRACE_MS, (signal) => this.#runner.whenIdle(signal))
    if (this.#runner.load > 0) this.#hasLeftovers = true
    this.#runner.handBackAll()
  }

  /** Whether one of them failed. */
  async #runShutdownHooks(): Promise<boolean> {
    const { logger } = this.#settings
    let hasFailed = false
    for (const hook of this.#shutdownHooks.toReversed()) {
      try {
        await hook()
      } catch (error) {
        hasFailed = true
        logger.error({ err: error }, 'a shutdown hook failed')
      }
    }
    return hasFailed
  }

  async #openHealth(sessions: SessionGroup): Promise<void> {
    const { clock, health, metrics, logger, maxConcurrentTasks } = this.#settings
    this.#startedAt = clock.now()
    if (health === null || !(health.isExplicit || this.#isMainProgram)) return
    const snapshot = () => ({
      ...this.#settings,
      now: clock.now(),
      startedAt: this.#startedAt,
      slots: maxConcurrentTasks,
      load: this.#runner.load,
      isDraining: this.#runner.isDraining,
      sessions: sessions.health,
    })
    this.#healthOpening = openHealthServer({ address: health, metrics, logger, snapshot })
    this.#health = await this.#healthOpening
  }

  async #closeHealth(): Promise<void> {
    // One that could not be opened was told by `start`.
    const health = await this.#healthOpening.catch(() => undefined)
    this.#health = undefined
    await health?.close()
  }

  /** Leaves nothing open that would keep the process alive. */
  async #failStart(error: unknown): Promise<never> {
    await this.#closeHealth()
    throw error
  }

  /** The settings with what the tasks themselves say. */
  #announced(): ResolvedWorkerOptions {
    const { machine } = this.#settings
    const costPerSkill = { ...machine.costPerSkill, ...this.#skills.costs() }
    return { ...this.#settings, machine: { ...machine, costPerSkill } }
  }

  #watchCapacity(): void {
    const { capacity, clock } = this.#settings
    if (capacity === undefined) return
    const look = (): string => JSON.stringify(this.#runner.scope)
    const onChange = (): void => {
      this.#runner.changed.notify()
      this.#sessions?.touch()
    }
    this.#capacityWatch = watchCapacity({ clock, look, onChange }, this.#stopping.signal)
  }

  /** Lets something take its time, but no more than this. */
  async #within(ms: number, wait: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const done = new AbortController()
    const expire = sleep(this.#settings.clock, ms, done.signal).then(() => {
      done.abort()
    })
    await Promise.race([wait(done.signal), expire])
    done.abort()
    await expire
  }
}

function invalid(message: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', { message })
}
