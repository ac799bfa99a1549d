import {
  isJsonObject,
  knownFeatures,
  PATHS,
  protocolWarning,
  registrationReplySchema,
  type SkillInfo,
  type WorkerFeature,
  type WorkerRegistration,
} from '@avtomatika/protocol'

import { retryWaitMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import type { ResolvedWorkerOptions } from './options.ts'
import { REQUEST_TIMEOUT_MS, type Answer, type Failure, type Transport } from './transport.ts'
import { sleep, Wake } from './wake.ts'

/** What the registration needs. */
export interface RegistrationOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly logger: WorkerLogger
  readonly backoff: BackoffPolicy
  /** What the worker says of itself now. */
  readonly message: () => WorkerRegistration
}

/** Keeps a worker registered with one orchestrator: tries for ever, and again when it was forgotten. */
export class Registration {
  readonly #options: RegistrationOptions
  readonly #changed = new Wake()
  #registered = false
  #everRegistered = false
  #features: readonly WorkerFeature[] = []
  #registeredAt = -Infinity

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  /** Whether the orchestrator has agreed to one of our extensions. */
  can(feature: WorkerFeature): boolean {
    return this.#features.includes(feature)
  }

  /** Whether the orchestrator has ever known this worker. */
  get everRegistered(): boolean {
    return this.#everRegistered
  }

  /** Whether the orchestrator knows this worker, as far as we know. */
  get isRegistered(): boolean {
    return this.#registered
  }

  /** When it last registered, in ms since 1970; `-Infinity` = never. */
  get registeredAt(): number {
    return this.#registeredAt
  }

  /** Says that the orchestrator does not know the worker any more. */
  lost(): void {
    if (!this.#registered) return
    this.#options.logger.warn({}, 'the orchestrator does not know this worker, registering again')
    this.#registered = false
    this.#changed.notify()
  }

  /** Waits until the worker is registered, or the abort. */
  async whenRegistered(signal: AbortSignal): Promise<void> {
    await this.#changed.until(() => this.#registered, signal)
  }

  /** Registers, and again after each {@link lost}, until the abort. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#register(signal)
      await this.#changed.until(() => !this.#registered, signal)
    }
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { transport, clock, random, backoff, message } = this.#options
    for (let failures = 1; !signal.aborted; failures += 1) {
      const reply = await transport.request({
        method: 'POST',
        path: PATHS.registerWorker,
        body: JSON.stringify(message()),
        timeoutMs: REQUEST_TIMEOUT_MS,
        signal,
      })
      if (reply.ok) {
        this.#succeed(reply)
        return
      }
      if (signal.aborted) return
      this.#logFailure(reply, failures)
      await sleep(clock, retryWaitMs(backoff, failures, random, reply), signal)
    }
  }

  #succeed({ body }: Answer): void {
    const { logger } = this.#options
    logger.info({}, 'registered')
    const version = isJsonObject(body) ? body['version'] : undefined
    const warning = protocolWarning(typeof version === 'string' ? version : undefined)
    if (warning !== null) logger.warn({}, warning)
    const said = registrationReplySchema.safeParse(body)
    this.#features = knownFeatures(said.data?.features ?? [])
    this.#registered = true
    this.#everRegistered = true
    this.#registeredAt = this.#options.clock.now()
    this.#changed.notify()
  }

  #logFailure({ status, error }: Failure, failures: number): void {
    const { logger } = this.#options
    if (status === 401 || status === 403) {
      // Goes on all the same: the operator may add the token while the worker waits.
      logger.error({ err: error, failures }, 'the orchestrator refuses the token of this worker')
    } else {
      logger.warn({ err: error, failures }, 'not registered, will try again')
    }
  }
}

/** Extensions of the protocol that this worker uses where the orchestrator agrees. */
const OUR_FEATURES: readonly WorkerFeature[] = [
  'acks',
  'batch_results',
  'batch_events',
  'cancel_in_poll',
  'stream',
]

/** What can be told of a worker's skills. */
export interface SkillsToTell {
  readonly skills: readonly SkillInfo[]
  readonly hash: string
  /** Names of those that can start without loading; absent = not told. */
  readonly hot?: readonly string[] | undefined
}

/** What the worker says of itself when it comes. */
export function registrationMessage(
  options: ResolvedWorkerOptions,
  { skills, hash, hot }: SkillsToTell,
): WorkerRegistration {
  const { machine, maxConcurrentTasks } = options
  return {
    worker_id: options.workerId,
    worker_type: options.workerType,
    status: 'idle',
    supported_skills: [...skills],
    features: [...OUR_FEATURES],
    // The first generation of orchestrators reads the names here.
    supported_tasks: skills.map(({ name }) => name),
    ...(hot !== undefined && { hot_skills: [...hot] }),
    skills_hash: hash,
    max_concurrent_tasks: maxConcurrentTasks,
    resources: {
      max_concurrent_tasks: maxConcurrentTasks,
      cpu_cores: machine.cpuCores,
      ram_gb: machine.ramGb,
      ...(machine.gpu !== null && {
        gpu_info: { model: machine.gpu.model, vram_gb: machine.gpu.vramGb },
      }),
      ...(machine.devices.length > 0 && {
        devices: machine.devices.map((device) => ({
          ...device,
          properties: { ...device.properties },
        })),
      }),
    },
    installed_software: { ...machine.installedSoftware },
    installed_models: machine.installedModels.map((model) => ({
      ...model,
      properties: { ...model.properties },
    })),
    installed_artifacts: machine.installedArtifacts.map((artifact) => ({
      ...artifact,
      properties: { ...artifact.properties },
    })),
    capabilities: {
      hostname: machine.hostname,
      ip_address: machine.ipAddress,
      cost_per_skill: { ...machine.costPerSkill },
      extra: { ...machine.extra, websockets: options.websockets },
    },
  }
}
