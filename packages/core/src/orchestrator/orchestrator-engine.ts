/** The whole orchestrator in one object, for a host program. */
import { randomUUID } from 'node:crypto'
import { BlueprintError } from '@avtomatika/protocol'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { pino, type Logger } from 'pino'
import type { Blueprint } from '../blueprint/blueprint.ts'
import { BlueprintRegistry } from '../blueprint/registry.ts'
import { Engine } from '../engine/engine.ts'
import type { Hooks } from '../engine/outgoing/hooks.ts'
import { Retention } from '../engine/schedules/retention.ts'
import { Schedules } from '../engine/schedules/schedules.ts'
import type { Strategy } from '../engine/matching/strategies.ts'
import { Timetable } from '../engine/schedules/timetable.ts'
import { httpPlugin } from '../http/plugin.ts'
import type { RateLimitOptions } from '../http/rate-limits.ts'
import { MemoryHistory, MemoryLimits, MemoryScheduler, MemoryStorage } from '../memory/index.ts'
import { systemClock, type Clock } from '../ports/clock.ts'
import type { History } from '../ports/history.ts'
import { systemIds } from '../ports/ids.ts'
import type { Notifier } from '../ports/notifier.ts'
import type { Scheduler } from '../ports/scheduler.ts'
import type { Storage } from '../ports/storage.ts'
import { HttpNotifier } from '../webhooks/http-notifier.ts'
import { resolveConfig, type OrchestratorConfig, type ResolvedConfig } from './config.ts'
import { createServer } from './create-server.ts'
import { untilSignalled } from './until-signalled.ts'
import { WorkerKeySource } from './worker-key-source.ts'

export interface OrchestratorOptions {
  /** Default: in memory, gone with the process. */
  readonly storage?: Storage
  /** Default: in memory, for the latest jobs. */
  readonly history?: History
  readonly config?: OrchestratorConfig
  /**
   * Orchestrators that share a storage must agree on the time; such a storage offers a clock. Default:
   * this machine's.
   */
  readonly clock?: Clock
  /** Told of jobs that ended and of workers' events, at least once each. */
  readonly hooks?: Hooks
  /**
   * Names this orchestrator among those that share a storage; no two at work should have the same
   * name. Default: chance.
   */
  readonly instanceId?: string
  /** Makes who calls the webhooks, once per start. Default: this process, by HTTP. */
  readonly notifier?: () => Notifier
  /** Makes who says when schedules are due, once per start. Default: this process, by `clock`. */
  readonly scheduler?: () => Scheduler
  /**
   * Strategies of your own, by the name that dispatches use; one that is named like one of ours takes its
   * place.
   *
   * @example
   * ```ts
   * new OrchestratorEngine({
   *   strategies: {
   *     most_reputed: (workers) => ({
   *       order: workers.toSorted((a, b) => b.reputation - a.reputation).map((one) => one.workerId),
   *     }),
   *   },
   * })
   * ```
   */
  readonly strategies?: Readonly<Record<string, Strategy>>
  /** Default: a pino logger at level `info` on standard output. */
  readonly logger?: Logger
}

/** Any blueprint, whatever its input. */
export type AnyBlueprint = Pick<Blueprint, 'name' | 'check' | 'define'>

/**
 * Runs blueprints and serves clients and workers.
 *
 * @example
 * ```ts
 * const engine = new OrchestratorEngine({
 *   config: { clients: [{ token: 'secret' }], workerTokens: { shared: 'worker-secret' } },
 * })
 * engine.register(hello)
 * await engine.start()
 * ```
 */
export class OrchestratorEngine {
  readonly #config: ResolvedConfig
  readonly #log: Logger
  readonly #clock: Clock
  readonly #blueprints = new BlueprintRegistry()
  readonly #engine: Engine
  readonly #rates: RateLimitOptions | null
  readonly #storage: Storage
  readonly #workerKeys: WorkerKeySource
  readonly #schedules: Schedules
  readonly #retention: Retention
  readonly #timetable: Timetable
  #plugin: FastifyPluginCallback | undefined
  #server: FastifyInstance | undefined
  #started: Promise<string> | undefined

  /** @throws ConfigError `CONFIG_INVALID` listing what cannot be used. */
  constructor(options: OrchestratorOptions = {}) {
    this.#config = resolveConfig(options.config ?? {})
    this.#clock = options.clock ?? systemClock
    this.#log = options.logger ?? pino({ name: 'avtomatika' })
    const storage = options.storage ?? new MemoryStorage()
    const instanceId = options.instanceId ?? randomUUID()
    this.#storage = storage
    this.#engine = new Engine({
      storage,
      history: options.history ?? new MemoryHistory(),
      blueprints: this.#blueprints,
      settings: this.#config.settings,
      clock: this.#clock,
      ids: systemIds,
      log: this.#log,
      instanceId,
      notifier: options.notifier ?? (() => this.#httpNotifier()),
      ...(options.hooks && { hooks: options.hooks }),
      strategies: new Map(Object.entries(options.strategies ?? {})),
    })
    this.#rates = this.#ratesIn(storage)
    const { workerTokens: tokens } = this.#config
    this.#workerKeys = new WorkerKeySource({ tokens, storage, instanceId, log: this.#log })
    const tools = { clock: this.#clock, log: this.#log }
    const { schedules: configs, retainMs, retentionIntervalMs: everyMs } = this.#config
    const createJob = this.#engine.createJob.bind(this.#engine)
    this.#schedules = new Schedules({ configs, blueprints: this.#blueprints, createJob, ...tools })
    this.#retention = new Retention({ storage, ...tools }, { retainMs, everyMs })
    this.#timetable = new Timetable(options.scheduler ?? (() => new MemoryScheduler(tools)))
  }

  /**
   * Adds a blueprint; it cannot be changed any more.
   * @throws BlueprintError `BLUEPRINT_INVALID` naming the blueprint, the state and what is wrong.
   */
  register(blueprint: AnyBlueprint): this {
    if (this.#plugin !== undefined) {
      const message = `Blueprint '${blueprint.name}' came too late: register blueprints before start() or before mounting the plugin.`
      throw new BlueprintError('BLUEPRINT_INVALID', { message })
    }
    this.#blueprints.add(blueprint.define())
    for (const { message } of blueprint.check()) {
      this.#log.warn({ blueprint: blueprint.name }, `blueprint '${blueprint.name}': ${message}`)
    }
    return this
  }

  /**
   * The routes, for a host's own Fastify app. The engine works while that app is up.
   *
   * @example
   * ```ts
   * await app.register(engine.plugin, { prefix: '/workflows' })
   * ```
   */
  get plugin(): FastifyPluginCallback {
    const routes = this.#routes()
    return (app, options, done) => {
      app.addHook('onReady', () => this.#startWork())
      let isClosing = false
      // Before the server waits for open requests: long polls must be sent home first.
      app.addHook('preClose', () => {
        isClosing = true
        return this.#stopWork()
      })
      // A connection that is kept alive after its last answer would keep the server from closing.
      app.addHook('onSend', (_request, reply, _payload, next) => {
        if (isClosing) reply.header('connection', 'close')
        next()
      })
      routes(app, options, done)
    }
  }

  /**
   * Starts the loops and listens; resolves with the address, such as `http://127.0.0.1:8080`. A
   * second call changes nothing. When it fails (the port is taken), nothing is left running.
   */
  start(): Promise<string> {
    this.#started ??= this.#listen()
    return this.#started
  }

  /** Answers what is in flight, lets handlers end, and stops listening. A second call changes nothing. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    this.#started = undefined
    if (server === undefined) return
    const cut = setTimeout(() => {
      this.#log.warn({}, 'requests did not end in time; their connections are cut')
      server.server.closeAllConnections()
    }, this.#config.shutdownTimeoutMs)
    try {
      await server.close()
    } finally {
      clearTimeout(cut)
    }
  }

  /** Starts, and stops on SIGINT or SIGTERM; resolves when it has stopped. */
  async run(): Promise<void> {
    await this.start()
    const signal = await untilSignalled(['SIGINT', 'SIGTERM'])
    this.#log.info({ signal }, 'stopping')
    await this.stop()
  }

  /** @throws ConfigError `CONFIG_INVALID` for schedules and tokens, BlueprintError for blueprints that cannot be used. */
  async #startWork(): Promise<void> {
    await this.#workerKeys.start()
    const duties = [...(await this.#schedules.duties()), this.#retention.duty()]
    this.#engine.start()
    this.#timetable.start(duties)
  }

  async #stopWork(): Promise<void> {
    const { shutdownTimeoutMs: graceMs } = this.#config
    this.#retention.stop()
    this.#workerKeys.stop()
    await Promise.all([this.#timetable.stop(graceMs), this.#engine.stop(graceMs)])
  }

  async #listen(): Promise<string> {
    const server = createServer({ log: this.#log, tls: this.#config.tls })
    this.#server = server
    try {
      await server.register(this.plugin)
      const { host, port } = this.#config
      return await server.listen({ host, port })
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  #httpNotifier(): Notifier {
    const { webhookPrivateHosts: allowPrivateHosts, webhookAttempts: attempts } = this.#config
    return new HttpNotifier({ allowPrivateHosts, attempts, clock: this.#clock, log: this.#log })
  }

  #routes(): FastifyPluginCallback {
    const { clients, apiPrefix, settings, workerAuthMode, workerSignatures } = this.#config
    const { approvalAuth, approvalSecret } = this.#config
    this.#plugin ??= httpPlugin({
      engine: this.#engine,
      blueprints: this.#blueprints,
      clients,
      workerKeys: this.#workerKeys.keys,
      workerAuthMode,
      workerSignatures,
      tokenStore: this.#storage,
      reloadWorkers: () => this.#workerKeys.reload(),
      apiPrefix,
      approvalAuth,
      approvalSecret,
      pollTimeoutMs: settings.pollTimeoutMs,
      now: () => this.#clock.now(),
      rates: this.#rates,
    })
    return this.#plugin
  }

  #ratesIn(shared: Storage): RateLimitOptions | null {
    const { rateLimits: limits } = this.#config
    if (limits === null) return null
    return { limits, local: new MemoryLimits(), shared, now: () => this.#clock.now() }
  }
}
