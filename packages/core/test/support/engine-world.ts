/** Engines on one storage under a clock that moves by hand, with the few words a test needs. */
import { normaliseHeartbeat, normaliseRegistration, normaliseResult } from '@avtomatika/protocol'
import { onTestFinished } from 'vitest'
import { Blueprint } from '../../src/blueprint/blueprint.ts'
import { BlueprintRegistry } from '../../src/blueprint/registry.ts'
import type { HandedTask } from '../../src/engine/dispatch/handed-task.ts'
import { Engine } from '../../src/engine/engine.ts'
import type { Hooks } from '../../src/engine/outgoing/hooks.ts'
import type { NewJobRequest } from '../../src/engine/jobs/job-creation.ts'
import type { Strategies } from '../../src/engine/matching/strategies.ts'
import { DEFAULT_SETTINGS, type EngineSettings } from '../../src/engine/settings.ts'
import type { Decision } from '../../src/job/decision.ts'
import type { Job, JobOwner } from '../../src/job/job.ts'
import { MemoryHistory } from '../../src/memory/index.ts'
import type { History } from '../../src/ports/history.ts'
import { silentLog } from '../../src/ports/log.ts'
import type { Notification } from '../../src/ports/notifier.ts'
import type { Storage } from '../../src/ports/storage.ts'
import { SimulatedClock } from '../../src/testing/simulated-clock.ts'
import { openStorage, settled } from './storage-under-test.ts'

type Definable = Pick<Blueprint, 'define'>

export interface WorldOptions {
  readonly settings?: Partial<EngineSettings>
  readonly storage?: Storage
  readonly history?: History
  readonly hooks?: Hooks
  readonly strategies?: Strategies
  /** What happens to a webhook call before it counts. Default: it is accepted. */
  readonly onNotify?: (notification: Notification) => Promise<void>
}

export const OWNER: JobOwner = { clientId: 'client-1', plan: null, params: {} }

/** No jitter, and pauses that are easy to add up: 1, 2 and 4 s. */
export const SETTINGS: EngineSettings = {
  ...DEFAULT_SETTINGS,
  rules: {
    ...DEFAULT_SETTINGS.rules,
    maxTransitions: 20,
    retry: { maxRetries: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0 } },
  },
}

/** Starts at `first`, which hands a task to a worker; ends `done` or `failed`. */
export function oneTask(name = 'order'): Blueprint {
  return new Blueprint(name)
    .state('start', { start: true }, ({ actions, initialData }) => {
      const transitions = { success: 'done', failure: 'failed' }
      actions.dispatchTask({ type: 'resize', params: { ...initialData }, transitions })
    })
    .state('done', { end: true })
    .state('failed', { end: true })
}

export class World {
  readonly clock = new SimulatedClock(undefined, settled)
  readonly history: History
  readonly storage: Storage
  readonly settings: EngineSettings
  /** What the engines warned of so far. */
  readonly warnings: string[] = []
  /** Webhook calls so far. */
  readonly notifications: Notification[] = []
  readonly #hooks: Hooks
  readonly #strategies: Strategies
  readonly #onNotify: (notification: Notification) => Promise<void>
  readonly #engines: Engine[] = []
  #ids = 0

  constructor(options: WorldOptions = {}) {
    const { settings = {}, storage, history, hooks = {} } = options
    this.#hooks = hooks
    this.#strategies = options.strategies ?? new Map()
    this.#onNotify = options.onNotify ?? (() => Promise.resolve())
    this.settings = { ...SETTINGS, ...settings }
    this.storage = storage ?? openStorage()
    this.history = history ?? new MemoryHistory()
    onTestFinished(async () => {
      const stopped = Promise.all(this.#engines.map((engine) => engine.stop(0)))
      // What hangs is not waited for longer than that.
      await this.clock.advance(1_000)
      await stopped
    })
  }

  /** An engine with these blueprints, at work. */
  engine(...blueprints: readonly Definable[]): Engine {
    const engine = this.build(registryOf(blueprints))
    engine.start()
    return engine
  }

  build(blueprints: BlueprintRegistry): Engine {
    const engine = new Engine({
      storage: this.storage,
      history: this.history,
      blueprints,
      settings: this.settings,
      clock: this.clock,
      ids: { jobId: () => this.#jobId(), chance: () => 0 },
      log: { ...silentLog, warn: (_fields, message) => this.warnings.push(message) },
      instanceId: `engine-${String(this.#engines.length + 1)}`,
      notifier: () => ({
        notify: async (notification) => {
          await this.#onNotify(notification)
          this.notifications.push(notification)
        },
        listDeadLetters: () => Promise.resolve([]),
        resend: () => Promise.resolve(false),
        stop: () => Promise.resolve(),
      }),
      hooks: this.#hooks,
      strategies: this.#strategies,
      checkInvariants: true,
    })
    this.#engines.push(engine)
    return engine
  }

  /** Lets a long time pass in hops, in each of which a loop looks once instead of every second. */
  async pass(ms: number, hopMs = 10_000): Promise<void> {
    const until = this.clock.now() + ms
    await settled()
    while (this.clock.now() < until)
      await this.clock.jump(Math.min(until, this.clock.now() + hopMs))
  }

  async job(jobId: string): Promise<Job> {
    const job = await this.storage.findJob(jobId)
    if (job === undefined) throw new Error(`There is no job ${jobId}.`)
    return job
  }

  /** The types of a job's history rows, oldest first. */
  async records(jobId: string): Promise<string[]> {
    return (await this.history.ofJob(jobId)).map(({ type }) => type)
  }

  /** The webhook calls about a job: which event, with which status. */
  calls(jobId: string): [event: string, status: string][] {
    const about = this.notifications.filter((each) => each.jobId === jobId)
    return about.map(({ event, status }) => [event, status])
  }

  #jobId(): string {
    this.#ids += 1
    return `job-${String(this.#ids)}`
  }
}

export function registryOf(blueprints: readonly Definable[]): BlueprintRegistry {
  const registry = new BlueprintRegistry()
  for (const blueprint of blueprints) registry.add(blueprint.define())
  return registry
}

/** Creates a job and lets everything happen that needs no time. */
export async function create(
  engine: Engine,
  blueprint: Definable,
  fields: Partial<NewJobRequest> = {},
): Promise<string> {
  const request = { blueprint: blueprint.define(), initialData: {}, owner: OWNER, ...fields }
  const { jobId } = await engine.createJob(request)
  await settled()
  return jobId
}

/** One worker, as its SDK would speak for it. */
export class Hand {
  readonly #engine: Engine
  readonly workerId: string

  constructor(engine: Engine, workerId: string) {
    this.#engine = engine
    this.workerId = workerId
  }

  static async hire(
    engine: Engine,
    workerId = 'w-1',
    said: Readonly<Record<string, unknown>> = {},
  ): Promise<Hand> {
    const body = { worker_id: workerId, supported_skills: ['resize'], ...said }
    await engine.fleet.register(normaliseRegistration(body))
    return new Hand(engine, workerId)
  }

  poll(
    waitMs = 0,
    { max = 1, signal }: { readonly max?: number; readonly signal?: AbortSignal } = {},
  ): Promise<readonly HandedTask[]> {
    const { workerId } = this
    const never = new AbortController().signal
    return this.#engine.dispatcher.poll({ workerId, waitMs, max, signal: signal ?? never })
  }

  /** The task that is there now. */
  async take(): Promise<HandedTask['task']> {
    const [handed] = await this.poll()
    if (handed === undefined) throw new Error(`There is no task for ${this.workerId}.`)
    return handed.task
  }

  async beat(said: Readonly<Record<string, unknown>> = {}): Promise<readonly string[]> {
    const beat = normaliseHeartbeat(said)
    return (await this.#engine.fleet.heartbeat(this.workerId, beat)).cancelTaskIds
  }

  async report(
    task: { readonly jobId: string; readonly taskId: string },
    said: Readonly<Record<string, unknown>> = {},
  ): Promise<Decision> {
    const body = { job_id: task.jobId, task_id: task.taskId, ...said }
    const decision = await this.#engine.reportResult(this.workerId, normaliseResult(body))
    await settled()
    return decision
  }
}

/** Lets the event loop turn until a claim holds; fails when it does not come true in 5 s. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 5_000
  while (!(await isTrue())) {
    if (performance.now() > giveUpAt) throw new Error(`It never came true: ${String(isTrue)}`)
    await settled()
  }
}
