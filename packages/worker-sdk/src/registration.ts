import {
  isJsonObject,
  PATHS,
  protocolWarning,
  type SkillInfo,
  type WorkerRegistration,
} from '@avtomatika/protocol'

import { backoffMs, type BackoffPolicy, type Random } from './backoff.ts'
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
  readonly message: WorkerRegistration
}

/** Keeps a worker registered with one orchestrator: tries for ever, and again when it was forgotten. */
export class Registration {
  readonly #options: RegistrationOptions
  readonly #changed = new Wake()
  #registered = false
  #everRegistered = false

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  /** Whether the orchestrator has ever known this worker. */
  get everRegistered(): boolean {
    return this.#everRegistered
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
    const body = JSON.stringify(message)
    for (let failures = 1; !signal.aborted; failures += 1) {
      const reply = await transport.request({
        method: 'POST',
        path: PATHS.registerWorker,
        body,
        timeoutMs: REQUEST_TIMEOUT_MS,
        signal,
      })
      if (reply.ok) {
        this.#succeed(reply)
        return
      }
      if (signal.aborted) return
      this.#logFailure(reply, failures)
      await sleep(clock, backoffMs(backoff, failures, random, reply.retryAfterMs), signal)
    }
  }

  #succeed({ body }: Answer): void {
    const { logger } = this.#options
    logger.info({}, 'registered')
    const version = isJsonObject(body) ? body['version'] : undefined
    const warning = protocolWarning(typeof version === 'string' ? version : undefined)
    if (warning !== null) logger.warn({}, warning)
    this.#registered = true
    this.#everRegistered = true
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

/** What the worker says of itself when it comes. */
export function registrationMessage(
  options: ResolvedWorkerOptions,
  skills: readonly SkillInfo[],
): WorkerRegistration {
  const { machine, maxConcurrentTasks } = options
  return {
    worker_id: options.workerId,
    worker_type: options.workerType,
    status: 'idle',
    supported_skills: [...skills],
    // The first generation of orchestrators reads the names here.
    supported_tasks: skills.map(({ name }) => name),
    max_concurrent_tasks: maxConcurrentTasks,
    resources: {
      max_concurrent_tasks: maxConcurrentTasks,
      cpu_cores: machine.cpuCores,
      ram_gb: machine.ramGb,
      ...(machine.gpu !== null && {
        gpu_info: { model: machine.gpu.model, vram_gb: machine.gpu.vramGb },
        devices: [
          { type: 'gpu', model: machine.gpu.model, properties: { memory_gb: machine.gpu.vramGb } },
        ],
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
      extra: { websockets: false, ...machine.extra },
    },
  }
}
