/** What a host may set, and what holds when it does not. */
import { randomBytes } from 'node:crypto'
import { ConfigError } from '@avtomatika/protocol'
import { DEFAULT_SETTINGS, type EngineSettings } from '../engine/settings.ts'
import type { ScheduleConfig } from '../engine/schedules/schedules.ts'
import type { ApprovalAuth } from '../http/approval-routes.ts'
import type { ClientConfig } from '../http/client-auth.ts'
import type { RateLimits } from '../http/rate-limits.ts'
import type { SignatureRule } from '../http/message-signature.ts'
import type { WorkerAuthMode } from '../http/worker-auth.ts'
import type { WorkerTokens } from '../http/worker-keys.ts'
import type { BackoffPolicy } from '../job/retry.ts'
import { DEFAULT_WEBHOOK_ATTEMPTS } from '../webhooks/webhook-call.ts'
import { rateLimitProblems, resolveRateLimits, type RateLimitConfig } from './rate-limit-config.ts'
import { resolveTls, tlsProblems, type ResolvedTls, type TlsConfig } from './tls-config.ts'
import type { ReadWorkerTokens } from './worker-key-source.ts'

/** Configuration of an {@link OrchestratorEngine}. Durations in milliseconds. */
export interface OrchestratorConfig {
  /** Default `127.0.0.1`: reachable from this machine only. */
  readonly host?: string
  /** Default 8080; 0 takes any free port. */
  readonly port?: number
  /** Who may create jobs. Default: nobody. */
  readonly clients?: readonly ClientConfig[]
  /**
   * The tokens that workers were given, or what reads them: at the start, and again when an admin asks with
   * `POST …/admin/reload-workers`. Default: none.
   */
  readonly workerTokens?: WorkerTokens | ReadWorkerTokens
  /**
   * What proves who a worker is. Default: `mixed` with `tls` that asks for certificates, else `token-only`. A
   * host that ends TLS itself says `mixed` or `mtls-only` if every certificate that it trusts is a worker's.
   */
  readonly workerAuthMode?: WorkerAuthMode
  /**
   * Signatures of workers' messages. `verify` (default): one that is there must be right and fresh, and
   * workers that do not sign are served. `require`: all must sign. `off`: nobody looks.
   */
  readonly workerSignatures?: SignatureRule
  /** Makes the server that `start` starts speak HTTPS. Default: HTTP. */
  readonly tls?: TlsConfig
  /** Default `/api`. */
  readonly apiPrefix?: string
  /** Tries of a handler or task after the first. Default 3. */
  readonly maxRetries?: number
  /** Default: 500 ms, doubled each time, at most 60 s, shortened by up to half by chance. */
  readonly backoff?: BackoffPolicy
  /** Changes of state after which a job counts as caught in a loop. Default 100. */
  readonly maxTransitions?: number
  /** How deep children may have children. Default 10. */
  readonly maxDepth?: number
  /** Events that one job keeps until it waits for them. Default 100. */
  readonly maxStoredEvents?: number
  /** Largest data of one result, event, decision or patch, in bytes of JSON. Default 1 048 576. */
  readonly maxDataBytes?: number
  /**
   * History rows that may wait while the history cannot be reached; beyond that the oldest are dropped.
   * Default 1 000 000.
   */
  readonly maxOutboxRecords?: number
  /** Data of one job in all, in bytes of JSON. Default 16 777 216. */
  readonly maxJobDataBytes?: number
  /** Handlers that run at a time. Default 100. */
  readonly executorConcurrency?: number
  /** From claim to result, where the dispatch does not say. Default 300 000. */
  readonly taskTimeoutMs?: number
  /** Longest wait of a worker's poll. Default 30 000. */
  readonly pollTimeoutMs?: number
  /** Expected pause between heartbeats; after two of them without one, a worker is gone. Default 60 000. */
  readonly workerHealthIntervalMs?: number
  /**
   * Workers whose reputation (0 to 1) is less get no tasks until it has recovered. Default 0.3; 0 for no
   * such rule.
   */
  readonly minReputation?: number
  /**
   * Who may decide an approval: its owner and holders of a signed link, or anybody who knows the
   * job's id, as older clients expect. Default `owner`.
   */
  readonly approvalAuth?: ApprovalAuth
  /**
   * Signs approval links; orchestrators that share it honour each other's. At least 16 characters.
   * Default: chance, so that links end with the process.
   */
  readonly approvalSecret?: string
  /** Whether webhooks may call hosts in private networks. Default false. */
  readonly webhookPrivateHosts?: boolean
  /** How often a webhook is called before it is given up, with pauses from 2 s to 5 min. Default 8. */
  readonly webhookAttempts?: number
  /** Jobs to create again and again, checked at the start. Default: none. */
  readonly schedules?: readonly ScheduleConfig[]
  /** How long ended jobs can be read; quarantined ones stay. Default 604 800 000 (7 days). */
  readonly retainMs?: number
  /** How often ended jobs that are old enough are looked for. Default 3 600 000 (an hour). */
  readonly retentionIntervalMs?: number
  /** How often clients and workers may ask. */
  readonly rateLimits?: RateLimitConfig
  /** How long requests and handlers may take to end when the engine stops. Default 8 000. */
  readonly shutdownTimeoutMs?: number
}

export interface ResolvedConfig {
  readonly host: string
  readonly port: number
  readonly clients: readonly ClientConfig[]
  readonly workerTokens: WorkerTokens | ReadWorkerTokens
  readonly workerAuthMode: WorkerAuthMode
  readonly workerSignatures: SignatureRule
  readonly tls: ResolvedTls | undefined
  readonly apiPrefix: string
  readonly shutdownTimeoutMs: number
  readonly approvalAuth: ApprovalAuth
  readonly approvalSecret: string
  readonly webhookPrivateHosts: boolean
  readonly webhookAttempts: number
  readonly schedules: readonly ScheduleConfig[]
  readonly retainMs: number
  readonly retentionIntervalMs: number
  readonly rateLimits: RateLimits | null
  readonly settings: EngineSettings
}

type NumberName =
  | 'port'
  | 'maxRetries'
  | 'maxTransitions'
  | 'maxDepth'
  | 'maxStoredEvents'
  | 'maxDataBytes'
  | 'maxJobDataBytes'
  | 'maxOutboxRecords'
  | 'executorConcurrency'
  | 'taskTimeoutMs'
  | 'pollTimeoutMs'
  | 'workerHealthIntervalMs'
  | 'shutdownTimeoutMs'
  | 'webhookAttempts'
  | 'retainMs'
  | 'retentionIntervalMs'

const MIN_SECRET_LENGTH = 16
const DAY_MS = 86_400_000

const RANGES: Record<NumberName, readonly [least: number, most: number]> = {
  port: [0, 65_535],
  maxRetries: [0, 1000],
  maxTransitions: [1, 1_000_000],
  maxDepth: [0, 50],
  maxStoredEvents: [0, 100_000],
  maxDataBytes: [1, 1024 ** 3],
  maxJobDataBytes: [1, 1024 ** 3],
  maxOutboxRecords: [1, 1_000_000_000],
  executorConcurrency: [1, 100_000],
  taskTimeoutMs: [1, 30 * 86_400_000],
  pollTimeoutMs: [0, 600_000],
  workerHealthIntervalMs: [10, 86_400_000],
  shutdownTimeoutMs: [0, 600_000],
  webhookAttempts: [1, 100],
  retainMs: [0, 10 * 365 * DAY_MS],
  retentionIntervalMs: [1_000, DAY_MS],
}

/** @throws ConfigError `CONFIG_INVALID` listing every number that is out of range. */
export function resolveConfig(config: OrchestratorConfig): ResolvedConfig {
  const problems = Object.entries(RANGES).flatMap(([name, [least, most]]) => {
    const value = config[name as NumberName]
    if (value === undefined || (Number.isInteger(value) && value >= least && value <= most))
      return []
    return [
      `${name} must be a whole number from ${String(least)} to ${String(most)}, got ${String(value)}`,
    ]
  })
  problems.push(...reputationProblems(config), ...credentialProblems(config))
  problems.push(...approvalProblems(config), ...rateLimitProblems(config.rateLimits))
  if (problems.length > 0) {
    throw new ConfigError('CONFIG_INVALID', {
      message: `${problems.join('; ')}.`,
      details: { problems },
    })
  }
  const tls = config.tls && resolveTls(config.tls)
  return {
    host: config.host ?? '127.0.0.1',
    port: config.port ?? 8080,
    clients: config.clients ?? [],
    workerTokens: config.workerTokens ?? {},
    workerAuthMode: config.workerAuthMode ?? (tls?.requestCert === true ? 'mixed' : 'token-only'),
    workerSignatures: config.workerSignatures ?? 'verify',
    tls,
    apiPrefix: normalisedPrefix(config.apiPrefix ?? '/api'),
    shutdownTimeoutMs: config.shutdownTimeoutMs ?? 8_000,
    approvalAuth: config.approvalAuth ?? 'owner',
    approvalSecret: config.approvalSecret ?? randomBytes(32).toString('base64url'),
    webhookPrivateHosts: config.webhookPrivateHosts ?? false,
    webhookAttempts: config.webhookAttempts ?? DEFAULT_WEBHOOK_ATTEMPTS,
    schedules: config.schedules ?? [],
    retainMs: config.retainMs ?? 7 * DAY_MS,
    retentionIntervalMs: config.retentionIntervalMs ?? 3_600_000,
    rateLimits: resolveRateLimits(config.rateLimits),
    settings: settingsOf(config),
  }
}

function reputationProblems({ minReputation = 0 }: OrchestratorConfig): string[] {
  if (minReputation >= 0 && minReputation <= 1) return []
  return [`minReputation must be from 0 to 1, got ${String(minReputation)}`]
}

const AUTH_MODES: readonly string[] = [
  'mixed',
  'mtls-only',
  'token-only',
] satisfies WorkerAuthMode[]
const SIGNATURE_RULES: readonly string[] = ['verify', 'require', 'off'] satisfies SignatureRule[]

function credentialProblems(config: OrchestratorConfig): readonly string[] {
  const { workerAuthMode: mode = 'mixed', workerSignatures: rule = 'verify', tls } = config
  const problems = [...tlsProblems(tls)]
  if (!AUTH_MODES.includes(mode)) {
    problems.push(`workerAuthMode must be one of ${AUTH_MODES.join(', ')}, got '${mode}'`)
  }
  if (!SIGNATURE_RULES.includes(rule)) {
    problems.push(`workerSignatures must be one of ${SIGNATURE_RULES.join(', ')}, got '${rule}'`)
  }
  if (mode === 'mtls-only' && tls !== undefined && !resolveTls(tls).requestCert) {
    problems.push('workerAuthMode mtls-only needs tls.ca, which signs the certificates of workers')
  }
  return problems
}

/** Never repeats the secret. */
function approvalProblems({ approvalAuth, approvalSecret }: OrchestratorConfig): string[] {
  const problems: string[] = []
  const isKnown = approvalAuth === undefined || ['owner', 'open'].includes(approvalAuth)
  if (!isKnown) problems.push(`approvalAuth must be 'owner' or 'open', got '${approvalAuth}'`)
  if (approvalSecret !== undefined && approvalSecret.length < MIN_SECRET_LENGTH) {
    problems.push(`approvalSecret must have at least ${String(MIN_SECRET_LENGTH)} characters`)
  }
  return problems
}

function settingsOf(config: OrchestratorConfig): EngineSettings {
  const { rules, ...rest } = DEFAULT_SETTINGS
  return {
    executorConcurrency: config.executorConcurrency ?? rest.executorConcurrency,
    taskTimeoutMs: config.taskTimeoutMs ?? rest.taskTimeoutMs,
    pollTimeoutMs: config.pollTimeoutMs ?? rest.pollTimeoutMs,
    workerHealthIntervalMs: config.workerHealthIntervalMs ?? rest.workerHealthIntervalMs,
    idempotencyTtlMs: rest.idempotencyTtlMs,
    maxDataBytes: config.maxDataBytes ?? rest.maxDataBytes,
    maxOutboxRecords: config.maxOutboxRecords ?? rest.maxOutboxRecords,
    minReputation: config.minReputation ?? rest.minReputation,
    rules: {
      maxTransitions: config.maxTransitions ?? rules.maxTransitions,
      maxDepth: config.maxDepth ?? rules.maxDepth,
      maxStoredEvents: config.maxStoredEvents ?? rules.maxStoredEvents,
      maxJobDataBytes: config.maxJobDataBytes ?? rules.maxJobDataBytes,
      retry: {
        maxRetries: config.maxRetries ?? rules.retry.maxRetries,
        backoff: config.backoff ?? rules.retry.backoff,
      },
    },
  }
}

function normalisedPrefix(prefix: string): string {
  const inner = prefix.replace(/^\/+|\/+$/g, '')
  return inner === '' ? '' : `/${inner}`
}
