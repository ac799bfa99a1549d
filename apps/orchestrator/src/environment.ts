/** What the operator set in the environment, read once and complete. */
import type { RateLimitConfig, SignatureRule, TlsConfig, WorkerAuthMode } from '@avtomatika/core'
import type { RedisConnectionOptions } from '@avtomatika/storage-redis'
import { readRateLimits } from './rate-limit-settings.ts'
import { readRedis } from './redis-settings.ts'
import { readTls } from './tls-settings.ts'
import { VariableReader, type Range, type Variables } from './variable-reader.ts'

/** The settings of the program; docs/reference/configuration.md describes each. */
export interface Environment {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly apiPrefix: string
  readonly clientToken: string
  /** May do more than clients do; `undefined`: nobody may. */
  readonly adminToken: string | undefined
  /** Shared by workers; `undefined`: each has its own token or certificate. */
  readonly workerToken: string | undefined
  /** Where tokens of single workers stand. */
  readonly workersFile: string | undefined
  /** `undefined`: by certificates too, if there are any. */
  readonly workerAuthMode: WorkerAuthMode | undefined
  readonly workerSignatures: SignatureRule
  /** `undefined`: HTTP. */
  readonly tls: TlsConfig | undefined
  readonly blueprintsDir: string
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  readonly maxRetries: number
  readonly maxTransitions: number
  readonly maxDepth: number
  readonly maxStoredEvents: number
  readonly maxDataBytes: number
  readonly maxJobDataBytes: number
  readonly executorConcurrency: number
  readonly taskTimeoutMs: number
  readonly pollTimeoutMs: number
  readonly workerHealthIntervalMs: number
  /** Workers that are trusted less get no tasks. */
  readonly minReputation: number
  readonly approvalAuth: 'owner' | 'open'
  /** `undefined`: made up anew at each start. */
  readonly approvalSecret: string | undefined
  /** Where jobs are kept; `undefined`: in memory. May hold passwords. */
  readonly redis: RedisConnectionOptions | undefined
  /** Before all keys in Redis. */
  readonly redisKeyPrefix: string
  readonly webhookPrivateHosts: boolean
  readonly webhookAttempts: number
  /** How long ended jobs can be read. */
  readonly retainMs: number
  readonly rateLimits: RateLimitConfig
}

type Limits = Pick<
  Environment,
  | 'maxRetries'
  | 'maxTransitions'
  | 'maxDepth'
  | 'maxStoredEvents'
  | 'maxDataBytes'
  | 'maxJobDataBytes'
  | 'executorConcurrency'
>

type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
type LogFormat = 'json' | 'text'

/** Levels by the names that pino and the Python system use. */
const LOG_LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'fatal',
  critical: 'fatal',
  silent: 'silent',
}

const LOG_FORMATS: Readonly<Record<string, LogFormat>> = { json: 'json', text: 'text' }

const APPROVAL_AUTHS: Readonly<Record<string, Environment['approvalAuth']>> = {
  owner: 'owner',
  open: 'open',
}

const SWITCHES: Readonly<Record<string, boolean>> = { true: true, false: false }

const GIB = 1024 ** 3

/**
 * Reads the settings.
 * @throws ConfigError `CONFIG_INVALID` listing everything that is missing or wrong at once, without
 *   the values of tokens.
 */
export function readEnvironment(variables: Variables): Environment {
  const read = new VariableReader(variables)
  const environment = {
    host: read.text('API_HOST', '0.0.0.0'),
    port: read.integer('API_PORT', { fallback: 8080, least: 0, most: 65_535 }),
    apiPrefix: read.path('CLIENT_API_PREFIX', 'api'),
    clientToken: read.token('CLIENT_TOKEN', 'Clients send it in the header X-Client-Token'),
    adminToken: read.optionalToken('ADMIN_TOKEN', 'Admins send it in the header X-Client-Token'),
    ...workerCredentials(read),
    tls: readTls(read),
    blueprintsDir: read.required(
      'BLUEPRINTS_DIR',
      'the folder with the modules of your blueprints',
    ),
    logLevel: read.choice('LOG_LEVEL', LOG_LEVELS, 'info'),
    logFormat: read.choice('LOG_FORMAT', LOG_FORMATS, 'json'),
    ...limits(read),
    taskTimeoutMs: read.seconds('WORKER_TIMEOUT_SECONDS', { fallback: 300, most: 2_592_000 }),
    pollTimeoutMs: read.seconds('WORKER_POLL_TIMEOUT_SECONDS', { fallback: 30, most: 600 }),
    workerHealthIntervalMs: read.seconds('WORKER_HEALTH_CHECK_INTERVAL_SECONDS', {
      fallback: 60,
      most: 86_400,
    }),
    minReputation: read.share('REPUTATION_MIN_THRESHOLD', 0.3),
    approvalAuth: read.choice('APPROVAL_AUTH', APPROVAL_AUTHS, 'owner'),
    approvalSecret: read.secret('APPROVAL_SECRET', 'It signs the links for approvals'),
    redis: readRedis(read),
    redisKeyPrefix: read.text('REDIS_KEY_PREFIX', 'avt'),
    webhookPrivateHosts: read.choice('WEBHOOK_PRIVATE_HOSTS', SWITCHES, false),
    webhookAttempts: read.integer('WEBHOOK_ATTEMPTS', { fallback: 8, least: 1, most: 100 }),
    retainMs: read.seconds('JOB_RETENTION_SECONDS', { fallback: 604_800, most: 315_360_000 }),
    rateLimits: readRateLimits(read),
  }
  read.finish()
  return environment
}

type WorkerCredentials = Pick<
  Environment,
  'workerToken' | 'workersFile' | 'workerAuthMode' | 'workerSignatures'
>

const AUTH_MODES: Readonly<Record<string, WorkerAuthMode | undefined>> = {
  mixed: 'mixed',
  'mtls-only': 'mtls-only',
  'token-only': 'token-only',
}

const SIGNATURE_RULES: Readonly<Record<string, SignatureRule>> = {
  verify: 'verify',
  require: 'require',
  off: 'off',
}

function workerCredentials(read: VariableReader): WorkerCredentials {
  const workersFile = read.find('WORKERS_CONFIG_PATH')
  const workerAuthMode = read.choice('WORKER_AUTH_MODE', AUTH_MODES, undefined)
  const needsNoSharedToken = workersFile !== undefined || workerAuthMode === 'mtls-only'
  const use = 'Workers send it in the header X-Worker-Token'
  const workerToken = needsNoSharedToken
    ? read.optionalToken('GLOBAL_WORKER_TOKEN', use)
    : read.token('GLOBAL_WORKER_TOKEN', use)
  const workerSignatures = read.choice('WORKER_SIGNATURES', SIGNATURE_RULES, 'verify')
  return { workerToken, workersFile, workerAuthMode, workerSignatures }
}

function limits(read: VariableReader): Limits {
  const range = (fallback: number, least: number, most: number): Range => ({
    fallback,
    least,
    most,
  })
  return {
    maxRetries: read.integer('JOB_MAX_RETRIES', range(3, 0, 1000)),
    maxTransitions: read.integer('MAX_TRANSITIONS_PER_JOB', range(100, 1, 1_000_000)),
    maxDepth: read.integer('MAX_JOB_DEPTH', range(10, 0, 50)),
    maxStoredEvents: read.integer('MAX_STORED_EVENTS', range(100, 0, 100_000)),
    maxDataBytes: read.integer('MAX_DATA_BYTES', range(1024 ** 2, 1, GIB)),
    maxJobDataBytes: read.integer('MAX_JOB_DATA_BYTES', range(16 * 1024 ** 2, 1, GIB)),
    executorConcurrency: read.integer('EXECUTOR_MAX_CONCURRENT_JOBS', range(100, 1, 100_000)),
  }
}
