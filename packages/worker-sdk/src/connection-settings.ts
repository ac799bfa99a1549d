import type { BackoffPolicy } from './backoff.ts'
import type { SettingsReader } from './environment.ts'
import {
  readMode,
  readOrchestrators,
  type OrchestratorMode,
  type OrchestratorOptions,
  type OrchestratorTarget,
} from './orchestrator-targets.ts'
import { readTls } from './tls-settings.ts'
import type { TlsSettings } from './transport.ts'

/** How a worker keeps in touch with its orchestrators. */
export interface ConnectionOptions {
  /** `ORCHESTRATOR_URL`. Default `http://localhost:8080`. */
  readonly orchestratorUrl?: string | undefined
  /** `ORCHESTRATORS_CONFIG` (JSON): several orchestrators instead of one. */
  readonly orchestrators?: readonly OrchestratorOptions[] | undefined
  /**
   * `MULTI_ORCHESTRATOR_MODE`: who is asked first when slots are scarce. `FAILOVER` (default): the best
   * priority. `WATERFALL`: the same, and the others only when the better ones have no work.
   * `ROUND_ROBIN`: in turn, by weight.
   */
  readonly orchestratorMode?: OrchestratorMode | undefined
  /** `WORKER_INDIVIDUAL_TOKEN`, else `WORKER_TOKEN`. There is no default. */
  readonly token?: string | undefined
  /**
   * Certificates in PEM; `TLS_CA_PATH`, `TLS_CERT_PATH` and `TLS_KEY_PATH` name files of them. A worker with
   * one of its own needs no token.
   */
  readonly tls?: TlsSettings | undefined
  /**
   * `WORKER_SIGN_MESSAGES`: whether what the worker says is signed with its token. Default `false`.
   */
  readonly signMessages?: boolean | undefined
  /** Whether a thread beats while a handler blocks the process. Default: yes. */
  readonly heartbeatThread?: boolean | undefined
  /**
   * `WORKER_ENABLE_WEBSOCKETS`: whether each orchestrator is connected to for commands; cancellations come
   * at once then, and progress goes without a request of its own. Default `false`.
   */
  readonly websockets?: boolean | undefined
  /**
   * `WORKER_RESULT_DIR`: where results wait until they are answered, also for the next process. Needs a
   * fixed worker id, because results are sent under the id of the worker that had the task. Default:
   * in memory.
   */
  readonly resultDirectory?: string | undefined
  /**
   * `WORKER_PORT`: where `/health`, `/ready` and `/metrics` are served; `false` (`off`) = nowhere, 0 = a
   * free port. Default: 8083 in `run()` if it is free, nowhere in `start()`.
   */
  readonly healthPort?: number | false | undefined
  /** `WORKER_ENABLE_METRICS`: whether `/metrics` answers. Default `false`. */
  readonly metrics?: boolean | undefined
}

/** {@link ConnectionOptions}, complete and checked. */
export interface ConnectionSettings {
  /** Best priority first. */
  readonly orchestrators: readonly OrchestratorTarget[]
  readonly orchestratorMode: OrchestratorMode
  readonly tls: TlsSettings | undefined
  readonly signMessages: boolean
  readonly heartbeatThread: boolean
  readonly websockets: boolean
  readonly heartbeatDebounceMs: number
  readonly heartbeatCooldownMs: number
  readonly resultDirectory: string | undefined
  /** `null` = nowhere. */
  readonly health: HealthAddress | null
  readonly metrics: boolean
  readonly registrationBackoff: BackoffPolicy
  readonly heartbeatBackoff: BackoffPolicy
  readonly pollBackoff: BackoffPolicy
  readonly resultBackoff: BackoffPolicy
}

/** Where a worker tells its health. */
export interface HealthAddress {
  readonly port: number
  /** Asked for: must be free, and is used by `start()`, too. */
  readonly isExplicit: boolean
}

/** What is read elsewhere and needed here. */
export interface ConnectionContext {
  readonly hasFixedId: boolean
  readonly heartbeatIntervalMs: number
}

const SECONDS = { min: 1, scale: 1000 }
const FRACTIONS = { min: 0, scale: 1000 }
const MAX_BACKOFF_MS = 60_000
const DEFAULT_HEALTH_PORT = 8083

/** The defaults and checks of how a worker keeps in touch. */
export function readConnectionSettings(
  options: ConnectionOptions,
  reader: SettingsReader,
  { hasFixedId, heartbeatIntervalMs }: ConnectionContext,
): ConnectionSettings {
  const resultDirectory = options.resultDirectory ?? reader.text('WORKER_RESULT_DIR')
  if (resultDirectory !== undefined && !hasFixedId) {
    const expected = 'a fixed id, because results are kept for the next process (WORKER_RESULT_DIR)'
    reader.problems.push({ name: 'WORKER_ID', expected })
  }
  const tls = options.tls ?? readTls(reader)
  const signMessages = options.signMessages ?? reader.flag('WORKER_SIGN_MESSAGES', false)
  const hasCertificate = tls?.cert !== undefined
  return {
    // Messages are signed with a token, so that a certificate alone will not do.
    orchestrators: readOrchestrators(
      { ...options, needsToken: !hasCertificate || signMessages },
      reader,
    ),
    orchestratorMode: readMode(options, reader),
    tls,
    signMessages,
    heartbeatThread: options.heartbeatThread ?? true,
    websockets: options.websockets ?? reader.flag('WORKER_ENABLE_WEBSOCKETS', false),
    heartbeatDebounceMs: reader.number('WORKER_HEARTBEAT_DEBOUNCE_DELAY', 100, FRACTIONS),
    heartbeatCooldownMs: reader.number('WORKER_HEARTBEAT_COOLDOWN', 2000, FRACTIONS),
    resultDirectory,
    health: readHealth(options, reader),
    metrics: options.metrics ?? reader.flag('WORKER_ENABLE_METRICS', false),
    ...readBackoffs(reader, heartbeatIntervalMs),
  }
}

function readHealth({ healthPort }: ConnectionOptions, reader: SettingsReader) {
  const text = reader.text('WORKER_PORT')
  if (healthPort === false || (healthPort === undefined && text === 'off')) return null
  const isExplicit = healthPort !== undefined || text !== undefined
  const rule = { min: 0, max: 65_535, integer: true }
  const port = reader.number('WORKER_PORT', DEFAULT_HEALTH_PORT, rule, ['healthPort', healthPort])
  return { port, isExplicit }
}

function readBackoffs(reader: SettingsReader, heartbeatIntervalMs: number) {
  const ms = (variable: string, fallback: number): number =>
    reader.number(variable, fallback, SECONDS)
  const rateLimitFloorMs = reader.number('RATE_LIMIT_BACKOFF_FLOOR', 30_000, FRACTIONS)
  return {
    registrationBackoff: {
      initialMs: ms('REGISTRATION_RETRY_INITIAL_DELAY', 1000),
      maxMs: ms('REGISTRATION_RETRY_MAX_DELAY', MAX_BACKOFF_MS),
      rateLimitFloorMs,
    },
    pollBackoff: {
      initialMs: ms('POLL_BACKOFF_INITIAL', 1000),
      maxMs: ms('POLL_BACKOFF_MAX', MAX_BACKOFF_MS),
      factor: reader.number('POLL_BACKOFF_FACTOR', 2, { min: 1 }),
      rateLimitFloorMs,
    },
    resultBackoff: {
      initialMs: ms('RESULT_RETRY_INITIAL_DELAY', 1000),
      maxMs: MAX_BACKOFF_MS,
      rateLimitFloorMs,
    },
    // Leases hang on heartbeats, so a failed one is never tried later than the next would come.
    heartbeatBackoff: {
      initialMs: Math.min(1000, heartbeatIntervalMs),
      maxMs: heartbeatIntervalMs,
      rateLimitFloorMs: Math.min(rateLimitFloorMs, heartbeatIntervalMs),
    },
  }
}
