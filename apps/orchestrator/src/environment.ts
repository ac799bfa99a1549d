/** What the operator set in the environment, read once and complete. */
import { ConfigError } from '@avtomatika/protocol'

/** The settings of the program; docs/reference/configuration.md describes each. */
export interface Environment {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly apiPrefix: string
  readonly clientToken: string
  readonly workerToken: string
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
  readonly approvalAuth: 'owner' | 'open'
  /** `undefined`: made up anew at each start. */
  readonly approvalSecret: string | undefined
  /** Where jobs are kept; `undefined`: in memory. May hold a password. */
  readonly redisUrl: string | undefined
  /** Before all keys in Redis. */
  readonly redisKeyPrefix: string
  readonly webhookPrivateHosts: boolean
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

type Variables = Readonly<Record<string, string | undefined>>

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
const MIN_SECRET_LENGTH = 16

/** Tokens that stand in public documents: whoever reads those could get in (D-57). */
const KNOWN_TOKENS = new Set(['secure-orchestrator-token', 'secure-worker-token'])

/**
 * Reads the settings.
 * @throws ConfigError `CONFIG_INVALID` listing everything that is missing or wrong at once, without
 *   the values of tokens.
 */
export function readEnvironment(variables: Variables): Environment {
  const read = new Reader(variables)
  const environment = {
    host: read.text('API_HOST', '0.0.0.0'),
    port: read.integer('API_PORT', { fallback: 8080, least: 0, most: 65_535 }),
    apiPrefix: read.path('CLIENT_API_PREFIX', 'api'),
    clientToken: read.token('CLIENT_TOKEN', 'Clients send it in the header X-Client-Token'),
    workerToken: read.token('GLOBAL_WORKER_TOKEN', 'Workers send it in the header X-Worker-Token'),
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
    approvalAuth: read.choice('APPROVAL_AUTH', APPROVAL_AUTHS, 'owner'),
    approvalSecret: read.secret('APPROVAL_SECRET', 'It signs the links for approvals'),
    redisUrl: read.redisUrl('REDIS_URL'),
    redisKeyPrefix: read.text('REDIS_KEY_PREFIX', 'avt'),
    webhookPrivateHosts: read.choice('WEBHOOK_PRIVATE_HOSTS', SWITCHES, false),
  }
  read.finish()
  return environment
}

function limits(read: Reader): Limits {
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

interface Range {
  readonly fallback: number
  readonly least: number
  readonly most: number
}

/** Reads one variable after the other and keeps what is wrong for the end. */
class Reader {
  readonly #variables: Variables
  readonly #problems: string[] = []

  constructor(variables: Variables) {
    this.#variables = variables
  }

  text(name: string, fallback: string): string {
    return this.#find(name) ?? fallback
  }

  /** Like {@link Reader.text}, but set to nothing means nothing: the root. */
  path(name: string, fallback: string): string {
    const value = this.#variables[name]?.trim() ?? fallback
    if (/^\/*([\w.~-]+(\/+[\w.~-]+)*\/*)?$/.test(value)) return value
    return this.#wrong(`${name} must be a path such as 'api', got '${value}'.`, fallback)
  }

  required(name: string, meaning: string): string {
    return this.#find(name) ?? this.#wrong(`${name} is not set. Set it to ${meaning}.`, '')
  }

  token(name: string, use: string): string {
    const value = this.#find(name)
    const advice = `Set it to a long random text, for example the output of: openssl rand -hex 24. ${use}.`
    if (value === undefined) return this.#wrong(`${name} is not set. ${advice}`, '')
    if (KNOWN_TOKENS.has(value)) {
      return this.#wrong(`${name} is a default that everybody knows. ${advice}`, '')
    }
    if (/^[\x21-\x7e]+$/.test(value)) return value
    return this.#wrong(
      `${name} has a space, or a character that a header cannot carry. ${advice}`,
      '',
    )
  }

  /** Like {@link Reader.token}, for what may be left out and never goes over the wire. */
  secret(name: string, use: string): string | undefined {
    const value = this.#find(name)
    if (value === undefined || value.length >= MIN_SECRET_LENGTH) return value
    const least = String(MIN_SECRET_LENGTH)
    const advice = `Set it to at least ${least} characters, for example the output of: openssl rand -hex 24`
    return this.#wrong(`${name} is too short. ${advice}. ${use}.`, value)
  }

  /** Its value is never repeated: it may hold a password. */
  redisUrl(name: string): string | undefined {
    const value = this.#find(name)
    const isUrl = value !== undefined && /^rediss?:$/.test(protocolOf(value))
    if (value === undefined || isUrl) return value
    return this.#wrong(`${name} must be a URL such as redis://localhost:6379/0.`, value)
  }

  choice<Value>(name: string, choices: Readonly<Record<string, Value>>, fallback: Value): Value {
    const value = this.#find(name)
    if (value === undefined) return fallback
    const key = value.toLowerCase()
    const chosen = Object.hasOwn(choices, key) ? choices[key] : undefined
    if (chosen !== undefined) return chosen
    const list = Object.keys(choices).join(', ')
    return this.#wrong(`${name} must be one of ${list}; got '${value}'.`, fallback)
  }

  integer(name: string, { fallback, least, most }: Range): number {
    const value = this.#find(name)
    if (value === undefined) return fallback
    const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN
    if (number >= least && number <= most) return number
    const range = `from ${String(least)} to ${String(most)}`
    return this.#wrong(`${name} must be a whole number ${range}, got '${value}'.`, fallback)
  }

  /** Whole seconds in the environment, ms in here. */
  seconds(name: string, { fallback, most }: Omit<Range, 'least'>): number {
    return this.integer(name, { fallback, least: 1, most }) * 1000
  }

  finish(): void {
    const problems = this.#problems
    if (problems.length === 0) return
    throw new ConfigError('CONFIG_INVALID', { message: problems.join('\n'), details: { problems } })
  }

  /** Set to nothing, as compose files and .env files do, is the same as not set. */
  #find(name: string): string | undefined {
    const value = this.#variables[name]?.trim()
    return value === '' ? undefined : value
  }

  #wrong<Value>(problem: string, standIn: Value): Value {
    this.#problems.push(problem)
    return standIn
  }
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : ''
}
