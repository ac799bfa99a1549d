import { randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'

import { ConfigError, isIdentifier } from '@avtomatika/protocol'

import type { Random } from './backoff.ts'
import { systemClock, type Clock } from './clock.ts'
import {
  readConnectionSettings,
  type ConnectionOptions,
  type ConnectionSettings,
} from './connection-settings.ts'
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
import { unusedVariables, type UnusedVariable } from './unused-variables.ts'

/** Settings of a worker. What is left out comes from the environment, else from the default. */
export interface WorkerOptions extends ConnectionOptions {
  /** `WORKER_ID`. Default `worker-` and a random UUID. */
  readonly workerId?: string | undefined
  /** `WORKER_TYPE`. Default `generic-worker`. */
  readonly workerType?: string | undefined
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
  /** Most tasks at a time by type. The type of a task that names none is its name. Default: no limits. */
  readonly typeLimits?: Readonly<Record<string, number>> | undefined
  /**
   * Whether a task of this name could be started now, beyond what the limits say: enough memory, a
   * licence, … Asked with every poll and heartbeat, and at least once a second: must be quick. Default: always.
   */
  readonly capacity?: ((task: string) => boolean) | undefined
  /** Most threads for handlers that run in one. Default: as many as the machine runs at a time. */
  readonly maxThreads?: number | undefined
  /** Whether the stack of an unexpected error goes to the orchestrator, as `details.stack`. Default `false`. */
  readonly sendStacks?: boolean | undefined
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
export interface ResolvedWorkerOptions extends ConnectionSettings {
  readonly workerId: string
  readonly workerType: string
  readonly maxConcurrentTasks: number
  readonly heartbeatIntervalMs: number
  readonly pollTimeoutMs: number
  readonly shutdownTimeoutMs: number
  readonly maxPendingResults: number
  readonly typeLimits: Readonly<Record<string, number>>
  readonly capacity: ((task: string) => boolean) | undefined
  readonly maxThreads: number
  readonly sendStacks: boolean
  readonly machine: Machine
  /** Variables that are set and do nothing here. */
  readonly unusedVariables: readonly UnusedVariable[]
  readonly logger: WorkerLogger
  readonly clock: Clock
  readonly random: Random
  readonly newId: () => string
  readonly createTransport: (target: TransportTarget) => Transport
}

const SECONDS = { min: 1, scale: 1000 }
const COUNT = { min: 1, integer: true }

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
  const workerId = readWorkerId(options, reader)
  const { heartbeatIntervalMs } = timings
  const context = { hasFixedId: workerId !== undefined, heartbeatIntervalMs }
  const resolved = {
    workerId: workerId ?? `worker-${newId()}`,
    workerType: options.workerType ?? reader.text('WORKER_TYPE') ?? 'generic-worker',
    ...timings,
    ...readConnectionSettings(options, reader, context),
    ...readLimits(options, reader),
    machine: readMachine(reader),
    unusedVariables: unusedVariables(reader),
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

function readLimits(options: WorkerOptions, reader: SettingsReader) {
  const { typeLimits = {}, capacity, maxThreads = availableParallelism(), sendStacks } = options
  const counts = { ...typeLimitNames(typeLimits), maxThreads }
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isInteger(value) && value >= 1) continue
    reader.problems.push({ name, value, expected: 'a whole number, at least 1' })
  }
  return { typeLimits, capacity, maxThreads, sendStacks: sendStacks ?? false }
}

function typeLimitNames(typeLimits: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(typeLimits).map(([type, limit]) => [`typeLimits.${type}`, limit]),
  )
}

function readWorkerId(options: WorkerOptions, reader: SettingsReader): string | undefined {
  const value = options.workerId ?? reader.text('WORKER_ID')
  if (value !== undefined && !isIdentifier(value)) {
    const name = options.workerId === undefined ? 'WORKER_ID' : 'workerId'
    reader.problems.push({ name, value, expected: '1 to 128 letters, digits, "_" and "-"' })
  }
  return value
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
