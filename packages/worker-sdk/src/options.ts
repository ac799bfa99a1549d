import { randomUUID } from 'node:crypto'

import { ConfigError, isIdentifier } from '@avtomatika/protocol'

import type { BackoffPolicy, Random } from './backoff.ts'
import { systemClock, type Clock } from './clock.ts'
import { SettingsReader, type ConfigProblem, type Environment } from './environment.ts'
import { HttpTransport } from './http-transport.ts'
import {
  createLogger,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  type WorkerLogger,
} from './logger.ts'
import { readMachine, type Machine } from './machine.ts'
import type { Transport, TransportTarget } from './transport.ts'

/** Settings of a worker. What is left out comes from the environment, else from the default. */
export interface WorkerOptions {
  /** `WORKER_ID`. Default `worker-` and a random UUID. */
  readonly workerId?: string | undefined
  /** `WORKER_TYPE`. Default `generic-worker`. */
  readonly workerType?: string | undefined
  /** `ORCHESTRATOR_URL`. Default `http://localhost:8080`. */
  readonly orchestratorUrl?: string | undefined
  /** `WORKER_INDIVIDUAL_TOKEN`, else `WORKER_TOKEN`. There is no default. */
  readonly token?: string | undefined
  /** `MAX_CONCURRENT_TASKS`: how many tasks run at the same time. Default 10. */
  readonly maxConcurrentTasks?: number | undefined
  /** `HEARTBEAT_INTERVAL` (seconds there, ms here). Default 15 000. */
  readonly heartbeatIntervalMs?: number | undefined
  /** `TASK_POLL_TIMEOUT` (seconds there, ms here): how long one poll waits for a task. Default 30 000. */
  readonly pollTimeoutMs?: number | undefined
  /** `WORKER_SHUTDOWN_TIMEOUT` (seconds there, ms here): how long `stop` lets tasks go on. Default 30 000. */
  readonly shutdownTimeoutMs?: number | undefined
  /** Results that may wait for delivery before no more tasks are taken. Default 100. */
  readonly maxPendingResults?: number | undefined
  /** A pino logger, or one like it. Default: standard output, by `LOG_LEVEL` and `LOG_FORMAT`. */
  readonly logger?: WorkerLogger | undefined
  /** Where variables are read from. Default `process.env`. */
  readonly env?: Environment | undefined
  /** For tests. Default: the clock of this machine. */
  readonly clock?: Clock | undefined
  /** For tests. Default `Math.random`. */
  readonly random?: Random | undefined
  /** For tests: makes ids. Default: random UUIDs. */
  readonly newId?: (() => string) | undefined
  /** For tests: the way to an orchestrator. Default: HTTP. */
  readonly createTransport?: ((target: TransportTarget) => Transport) | undefined
}

/** Settings of a worker, complete and checked. */
export interface ResolvedWorkerOptions {
  readonly workerId: string
  readonly workerType: string
  /** Without a trailing slash. */
  readonly orchestratorUrl: string
  readonly token: string
  readonly maxConcurrentTasks: number
  readonly heartbeatIntervalMs: number
  readonly pollTimeoutMs: number
  readonly shutdownTimeoutMs: number
  readonly maxPendingResults: number
  readonly registrationBackoff: BackoffPolicy
  readonly heartbeatBackoff: BackoffPolicy
  readonly pollBackoff: BackoffPolicy
  readonly resultBackoff: BackoffPolicy
  readonly machine: Machine
  readonly logger: WorkerLogger
  readonly clock: Clock
  readonly random: Random
  readonly newId: () => string
  readonly createTransport: (target: TransportTarget) => Transport
}

const SECONDS = { min: 1, scale: 1000 }
const COUNT = { min: 1, integer: true }
const MAX_BACKOFF_MS = 60_000

/**
 * All defaults and checks of a worker's settings.
 *
 * @throws {@link ConfigError} `CONFIG_INVALID` with `details.problems`: every wrong value by name,
 * with what was expected.
 */
export function resolveWorkerOptions(options: WorkerOptions = {}): ResolvedWorkerOptions {
  const reader = new SettingsReader(options.env ?? process.env)
  const newId = options.newId ?? randomUUID
  const clock = options.clock ?? systemClock
  const timings = readTimings(options, reader)
  const resolved = {
    workerId: readWorkerId(options, reader) ?? `worker-${newId()}`,
    workerType: options.workerType ?? reader.text('WORKER_TYPE') ?? 'generic-worker',
    orchestratorUrl: readUrl(options, reader),
    token: readToken(options, reader),
    ...timings,
    ...readBackoffs(reader, timings.heartbeatIntervalMs),
    machine: readMachine(reader),
    logger: readLogger(options, reader),
    clock,
    random: options.random ?? Math.random,
    newId,
    createTransport:
      options.createTransport ?? ((target: TransportTarget) => new HttpTransport(target, clock)),
  }
  if (reader.problems.length > 0) throw invalid(reader.problems)
  return resolved
}

function readTimings(options: WorkerOptions, reader: SettingsReader) {
  const { maxConcurrentTasks, heartbeatIntervalMs, pollTimeoutMs, shutdownTimeoutMs } = options
  return {
    maxConcurrentTasks: reader.number('MAX_CONCURRENT_TASKS', 10, COUNT, [
      'maxConcurrentTasks',
      maxConcurrentTasks,
    ]),
    heartbeatIntervalMs: reader.number('HEARTBEAT_INTERVAL', 15_000, SECONDS, [
      'heartbeatIntervalMs',
      heartbeatIntervalMs,
    ]),
    pollTimeoutMs: reader.number('TASK_POLL_TIMEOUT', 30_000, SECONDS, [
      'pollTimeoutMs',
      pollTimeoutMs,
    ]),
    shutdownTimeoutMs: reader.number('WORKER_SHUTDOWN_TIMEOUT', 30_000, { min: 0, scale: 1000 }, [
      'shutdownTimeoutMs',
      shutdownTimeoutMs,
    ]),
    maxPendingResults: reader.number('MAX_PENDING_RESULTS', 100, COUNT, [
      'maxPendingResults',
      options.maxPendingResults,
    ]),
  }
}

function readBackoffs(reader: SettingsReader, heartbeatIntervalMs: number) {
  const ms = (variable: string, fallback: number): number =>
    reader.number(variable, fallback, SECONDS)
  return {
    registrationBackoff: {
      initialMs: ms('REGISTRATION_RETRY_INITIAL_DELAY', 1000),
      maxMs: ms('REGISTRATION_RETRY_MAX_DELAY', MAX_BACKOFF_MS),
    },
    pollBackoff: {
      initialMs: ms('POLL_BACKOFF_INITIAL', 1000),
      maxMs: ms('POLL_BACKOFF_MAX', MAX_BACKOFF_MS),
    },
    resultBackoff: { initialMs: ms('RESULT_RETRY_INITIAL_DELAY', 1000), maxMs: MAX_BACKOFF_MS },
    // Leases hang on heartbeats, so a failed one is never tried later than the next would come.
    heartbeatBackoff: {
      initialMs: Math.min(1000, heartbeatIntervalMs),
      maxMs: heartbeatIntervalMs,
    },
  }
}

function readWorkerId(options: WorkerOptions, reader: SettingsReader): string | undefined {
  const value = options.workerId ?? reader.text('WORKER_ID')
  if (value !== undefined && !isIdentifier(value)) {
    const name = options.workerId === undefined ? 'WORKER_ID' : 'workerId'
    reader.problems.push({ name, value, expected: '1 to 128 letters, digits, "_" and "-"' })
  }
  return value
}

function readUrl(options: WorkerOptions, reader: SettingsReader): string {
  const given = options.orchestratorUrl
  const value = given ?? reader.text('ORCHESTRATOR_URL') ?? 'http://localhost:8080'
  const url = URL.canParse(value) ? new URL(value) : undefined
  const isPlain =
    url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (isPlain && /^https?:$/.test(url.protocol)) return value.replace(/\/+$/, '')
  reader.problems.push({
    name: given === undefined ? 'ORCHESTRATOR_URL' : 'orchestratorUrl',
    // A URL with a user in it holds a password, which must not reach a log.
    ...(url?.password === '' && { value }),
    expected: 'an http or https URL without user, query or fragment',
  })
  return value
}

function readToken(options: WorkerOptions, reader: SettingsReader): string {
  const token =
    options.token ?? reader.text('WORKER_INDIVIDUAL_TOKEN') ?? reader.text('WORKER_TOKEN')
  // Other characters cannot be sent in a header.
  if (token !== undefined && /^[\x21-\x7e]+$/.test(token)) return token
  const expected = "the worker's token, printable ASCII without spaces; it has no default"
  const name = options.token === undefined ? 'WORKER_INDIVIDUAL_TOKEN or WORKER_TOKEN' : 'token'
  reader.problems.push({ name, expected })
  return ''
}

const PYTHON_LEVELS: Readonly<Record<string, LogLevel>> = { warning: 'warn', critical: 'fatal' }

function readLogger(options: WorkerOptions, reader: SettingsReader): WorkerLogger {
  if (options.logger !== undefined) return options.logger
  const level = reader.text('LOG_LEVEL') ?? 'info'
  const format = reader.text('LOG_FORMAT') ?? 'text'
  const lower = level.toLowerCase()
  const knownLevel = PYTHON_LEVELS[lower] ?? LOG_LEVELS.find((known) => known === lower)
  const knownFormat = (['text', 'json'] satisfies LogFormat[]).find((known) => known === format)
  if (knownLevel === undefined) {
    reader.problems.push({ name: 'LOG_LEVEL', value: level, expected: LOG_LEVELS.join(', ') })
  }
  if (knownFormat === undefined) {
    reader.problems.push({ name: 'LOG_FORMAT', value: format, expected: 'text or json' })
  }
  return createLogger(knownLevel ?? 'info', knownFormat ?? 'text')
}

function invalid(problems: readonly ConfigProblem[]): ConfigError {
  const lines = problems.map(({ name, value, expected }) => {
    const given = value === undefined ? '' : `, got ${JSON.stringify(value)}`
    return `${name}: expected ${expected}${given}`
  })
  return new ConfigError('CONFIG_INVALID', {
    message: `The worker cannot start. ${lines.join('; ')}.`,
    details: { problems },
  })
}
