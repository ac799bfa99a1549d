/** The one place where everything meets: settings and blueprints in, an engine out. */
import {
  OrchestratorEngine,
  type OrchestratorConfig,
  type OrchestratorOptions,
} from '@avtomatika/core'
import type { RedisBackground, RedisStorage } from '@avtomatika/storage-redis'
import { AvtomatikaError, BlueprintError } from '@avtomatika/protocol'
import type { Logger } from 'pino'
import type { Environment } from './environment.ts'
import type { LoadedBlueprint } from './load-blueprints.ts'
import { readWorkersFile } from './workers-file.ts'

/** Long enough for answers on their way, short enough for the 10 s that container hosts grant. */
const SHUTDOWN_TIMEOUT_MS = 8_000

/** What an orchestrator is made of. */
export interface Parts {
  readonly environment: Environment
  readonly blueprints: readonly LoadedBlueprint[]
  readonly log: Logger
  /** Default: in memory. */
  readonly storage?: RedisStorage | undefined
  /** Delivers webhooks and keeps the schedules. Default: this process. */
  readonly background?: RedisBackground | undefined
}

/**
 * Builds the engine; it does not run yet.
 * @throws BlueprintError `BLUEPRINT_INVALID` naming the module, the blueprint and what is wrong.
 */
export function compose(parts: Parts): OrchestratorEngine {
  const { environment, blueprints, log, storage, background } = parts
  const { host, port, apiPrefix } = environment
  const { maxRetries, maxTransitions, maxDepth, executorConcurrency } = environment
  const { maxStoredEvents, maxDataBytes, maxJobDataBytes } = environment
  const { taskTimeoutMs, pollTimeoutMs, workerHealthIntervalMs, minReputation } = environment
  const { approvalAuth, approvalSecret, webhookPrivateHosts, rateLimits } = environment
  const { webhookAttempts, retainMs } = environment
  const engine = new OrchestratorEngine({
    logger: log,
    ...(storage && { storage, clock: storage.clock }),
    ...(background && queuesOf(background, environment)),
    config: {
      host,
      port,
      apiPrefix,
      ...credentialsOf(environment),
      maxRetries,
      maxTransitions,
      maxDepth,
      maxStoredEvents,
      maxDataBytes,
      maxJobDataBytes,
      executorConcurrency,
      taskTimeoutMs,
      pollTimeoutMs,
      workerHealthIntervalMs,
      minReputation,
      approvalAuth,
      ...(approvalSecret !== undefined && { approvalSecret }),
      webhookPrivateHosts,
      webhookAttempts,
      retainMs,
      rateLimits,
      shutdownTimeoutMs: SHUTDOWN_TIMEOUT_MS,
    },
  })
  for (const each of blueprints) register(engine, each)
  return engine
}

function credentialsOf(environment: Environment): OrchestratorConfig {
  const { clientToken, adminToken, workerToken, workersFile } = environment
  const { workerAuthMode, workerSignatures, tls } = environment
  const shared = workerToken === undefined ? {} : { shared: workerToken }
  return {
    clients: [
      // A name of its own, so that jobs stay the client's when the token is changed.
      { id: 'default', token: clientToken },
      ...(adminToken === undefined ? [] : [{ id: 'admin', token: adminToken, admin: true }]),
    ],
    workerTokens:
      workersFile === undefined
        ? shared
        : async () => ({ ...shared, ...(await readWorkersFile(workersFile)) }),
    ...(workerAuthMode !== undefined && { workerAuthMode }),
    workerSignatures,
    ...(tls !== undefined && { tls }),
  }
}

function queuesOf(
  background: RedisBackground,
  { webhookPrivateHosts: allowPrivateHosts, webhookAttempts: attempts }: Environment,
): Pick<OrchestratorOptions, 'notifier' | 'scheduler'> {
  return {
    notifier: () => background.notifier({ allowPrivateHosts, attempts }),
    scheduler: () => background.scheduler(),
  }
}

function register(engine: OrchestratorEngine, { blueprint, file }: LoadedBlueprint): void {
  try {
    engine.register(blueprint)
  } catch (cause) {
    if (!AvtomatikaError.is(cause)) throw cause
    const message = `${file}: ${cause.message}`
    throw new BlueprintError('BLUEPRINT_INVALID', { message, details: cause.details, cause })
  }
}
