/** Runs blueprints in this process, with scripted workers and a clock that skips. */
import type { JsonObject } from '@avtomatika/protocol'
import type { Blueprint } from '../../blueprint/blueprint.ts'
import { asDataStore } from '../../blueprint/data-store.ts'
import type { BlueprintDefinition } from '../../blueprint/definition.ts'
import { BlueprintRegistry } from '../../blueprint/registry.ts'
import { Engine } from '../../engine/engine.ts'
import type { WorkerEventNotice } from '../../engine/outgoing/hooks.ts'
import { JobWriter } from '../../engine/jobs/job-writer.ts'
import { DEFAULT_SETTINGS, type EngineSettings } from '../../engine/settings.ts'
import { MemoryHistory, MemoryStorage } from '../../memory/index.ts'
import { silentLog } from '../../ports/log.ts'
import type { Notification, Notifier } from '../../ports/notifier.ts'
import type { Storage } from '../../ports/storage.ts'
import { SimulatedClock } from '../simulated-clock.ts'
import { StorageCalls } from '../storage-calls.ts'
import { Bench } from './bench.ts'
import {
  ScriptedWorker,
  WORKER_INTERVAL_MS,
  type HandedOut,
  type Script,
} from './scripted-worker.ts'
import { TestJob } from './test-job.ts'

/** Any blueprint, whatever its input. */
type AnyBlueprint = Pick<Blueprint, 'name' | 'define'>

export interface BlueprintTestOptions {
  /** What workers answer, by task type. Tasks of other types wait, as if nobody could do them. */
  readonly workers?: Readonly<Record<string, Script>>
  /** Blueprints that run beside the one under test: as its children, or by `start({ blueprint })`. */
  readonly children?: readonly AnyBlueprint[]
  /** Data stores in place of the blueprints' own, by name; plain dictionaries become stores. */
  readonly dataStores?: Readonly<Record<string, unknown>>
  /** When the clock starts, in ms. Default: 2030-01-01. */
  readonly startAt?: number
  /** How the engine behaves. Default: as every engine, but without chance in its pauses. */
  readonly settings?: Partial<EngineSettings>
  /** How long a handler may be busy with something real, in ms of real time. Default 4 000. */
  readonly patienceMs?: number
  /** Where the jobs are kept; empty, and closed with the test. Default: in memory. */
  readonly storage?: Storage
}

export interface TestJobOptions {
  readonly initialData?: object
  /** Default: the one under test. */
  readonly blueprint?: AnyBlueprint
  /** Calls are collected in {@link BlueprintTest.notifications}; none is made. */
  readonly webhookUrl?: string
  /** Who creates the job; its handlers are given this as `client`. */
  readonly clientId?: string
  readonly clientPlan?: string
  readonly clientParams?: JsonObject
  readonly metadata?: JsonObject
  /** Until a worker has taken a task of the job, in ms. */
  readonly dispatchTimeoutMs?: number
  /** Until every result must be there, in ms from creation. */
  readonly resultTimeoutMs?: number
  /** Until the job must have ended, in ms. */
  readonly jobTimeoutMs?: number
}

/** Less than test runners wait by default, so that ours is the message that is seen. */
const PATIENCE_MS = 4_000

/**
 * A place where jobs of a blueprint run in milliseconds, however long they wait.
 *
 * @example
 * ```ts
 * const test = new BlueprintTest(order, { workers: { charge: { data: { paid: true } } } })
 * const job = await test.run({ initialData: { amount: 3 } })
 * job.assertEnded({ status: 'finished', state: 'done' })
 * await test.close()
 * ```
 */
export class BlueprintTest {
  readonly #blueprint: AnyBlueprint
  readonly #bench: Bench
  readonly #events: WorkerEventNotice[] = []
  readonly #notifications: Notification[] = []
  #jobs = 0

  /**
   * @throws BlueprintError `BLUEPRINT_INVALID` for blueprints that could not be registered together:
   *   one that is wrong, or one that runs a child that is not given.
   */
  constructor(blueprint: AnyBlueprint, options: BlueprintTestOptions = {}) {
    const { workers = {}, children = [], dataStores = {}, settings = {} } = options
    this.#blueprint = blueprint
    const calls = new StorageCalls()
    const clock = new SimulatedClock(options.startAt, () => calls.settled())
    const storage = calls.watch(options.storage ?? new MemoryStorage())
    const history = new MemoryHistory()
    const allSettings = {
      ...DEFAULT_SETTINGS,
      workerHealthIntervalMs: WORKER_INTERVAL_MS,
      ...settings,
    }
    const engine = new Engine({
      storage,
      history,
      blueprints: registryOf([blueprint, ...children], dataStores),
      settings: allSettings,
      clock,
      // No jitter: pauses are as documented.
      ids: { jobId: () => this.#nextId(), chance: () => 0 },
      log: silentLog,
      instanceId: 'test',
      notifier: () => this.#notifier(),
      hooks: { onWorkerEvent: (event) => void this.#events.push(event) },
      checkInvariants: true,
    })
    const writer = new JobWriter({ storage, rules: allSettings.rules, checkInvariants: true })
    const worker = new ScriptedWorker({ scripts: workers, engine, storage, writer, clock })
    const { patienceMs = PATIENCE_MS } = options
    this.#bench = new Bench({ engine, storage, calls, history, clock, worker, patienceMs })
    engine.start()
  }

  /** Tasks that were handed out, with what was answered, oldest first. */
  get tasks(): readonly HandedOut[] {
    return this.#bench.parts.worker.handedOut
  }

  /** Events of workers, and those that handlers sent, oldest first. */
  get events(): readonly WorkerEventNotice[] {
    return this.#events
  }

  /** Webhook calls that would have been made, oldest first. */
  get notifications(): readonly Notification[] {
    return this.#notifications
  }

  /** The time of the test, in ms. */
  now(): number {
    return this.#bench.parts.clock.now()
  }

  /**
   * Creates a job and lets everything happen that needs neither time nor a person.
   * @throws InputError `INVALID_INPUT` for initial data that the blueprint's schema refuses.
   */
  async start(options: TestJobOptions = {}): Promise<TestJob> {
    const { initialData = {}, blueprint = this.#blueprint, ...rest } = options
    const {
      clientId = 'test',
      clientPlan: plan = null,
      clientParams: params = {},
      ...request
    } = rest
    const { engine, worker } = this.#bench.parts
    await worker.register()
    const owner = { clientId, plan, params }
    const order = { ...request, blueprint: blueprint.define(), initialData, owner }
    const { jobId } = await engine.createJob(order)
    return new TestJob(jobId, this.#bench).settle()
  }

  /**
   * Creates a job and runs it to its end, skipping the time between.
   * @throws AssertionError when it waits for something that time does not bring: a decision, an
   *   event, a worker without a script. For those: {@link BlueprintTest.start}.
   */
  async run(options?: TestJobOptions): Promise<TestJob> {
    const job = await this.start(options)
    return job.untilEnded()
  }

  /** Ends the engine; nothing is left running. */
  close(): Promise<void> {
    return this.#bench.close()
  }

  /** Same as {@link BlueprintTest.close}; for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #notifier(): Notifier {
    return {
      notify: (notification) => {
        this.#notifications.push(notification)
        return Promise.resolve()
      },
      listDeadLetters: () => Promise.resolve([]),
      resend: () => Promise.resolve(false),
      stop: () => Promise.resolve(),
    }
  }

  #nextId(): string {
    this.#jobs += 1
    return `job-${String(this.#jobs)}`
  }
}

function registryOf(
  blueprints: readonly AnyBlueprint[],
  dataStores: Readonly<Record<string, unknown>>,
): BlueprintRegistry {
  const stores = Object.entries(dataStores).map(([name, store]) => [name, asDataStore(store)])
  const registry = new BlueprintRegistry()
  for (const blueprint of blueprints) {
    const definition = blueprint.define()
    registry.add({
      ...definition,
      dataStores: { ...definition.dataStores, ...Object.fromEntries(stores) },
    } satisfies BlueprintDefinition)
  }
  return registry
}
