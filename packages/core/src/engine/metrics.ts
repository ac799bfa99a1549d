/**
 * Figures for Prometheus. Jobs are counted from history rows by the orchestrator that carries them; what
 * workers say, by the one that they say it to. No label holds what a peer could make up.
 */
import { isErrorCode, type ErrorCode, type IgnoredReason } from '@avtomatika/protocol'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { HistoryRecord, RecordType } from '../job/effect.ts'
import type { Clock } from '../ports/clock.ts'
import type { Storage } from '../ports/storage.ts'
import { StorageFigures } from './storage-figures.ts'

const ENDINGS: ReadonlySet<RecordType> = new Set([
  'job_finished',
  'job_failed',
  'job_quarantined',
  'job_cancelled',
])

/** From a tenth of a second to a day. */
const DURATION_BUCKETS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]

/** What a worker says: a request, or a frame on its connection. */
export type WorkerMessage =
  | 'register'
  | 'poll'
  | 'heartbeat'
  | 'result'
  | 'ack'
  | 'event'
  | 'connect'
  | 'frame'
  | 'token'
  | 'other'

/** What this orchestrator knows without asking anybody. */
export interface LocalFigures {
  /** Workers that are registered and alive. */
  readonly workers: () => number
  /** Connections that workers hold open here. */
  readonly connections: () => number
  /** Event streams of jobs that are read here. */
  readonly streams: () => number
}

export interface MetricsOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly local: LocalFigures
}

export class Metrics {
  /** Of this engine alone: a host may have registries of its own. */
  readonly #registry = new Registry()
  readonly #created = new Counter({
    name: 'orchestrator_jobs_total',
    help: 'Jobs created.',
    labelNames: ['blueprint'],
    registers: [this.#registry],
  })
  readonly #ended = new Counter({
    name: 'orchestrator_jobs_ended_total',
    help: 'Jobs ended, by status.',
    labelNames: ['blueprint', 'status'],
    registers: [this.#registry],
  })
  readonly #failed = new Counter({
    name: 'orchestrator_jobs_failed_total',
    help: 'Jobs that failed or were quarantined.',
    labelNames: ['blueprint'],
    registers: [this.#registry],
  })
  readonly #timedOut = new Counter({
    name: 'orchestrator_jobs_timeouts_total',
    help: 'Jobs that ended because a deadline had passed.',
    labelNames: ['blueprint'],
    registers: [this.#registry],
  })
  readonly #duration = new Histogram({
    name: 'orchestrator_job_duration_seconds',
    help: 'From the creation of a job to its end.',
    labelNames: ['blueprint'],
    buckets: DURATION_BUCKETS,
    registers: [this.#registry],
  })

  readonly #dropped = new Counter({
    name: 'orchestrator_outbox_dropped_total',
    help: 'History rows that were dropped because the history could not be reached for too long.',
    registers: [this.#registry],
  })
  readonly #rearmed = new Counter({
    name: 'orchestrator_jobs_rearmed_total',
    help: 'Live jobs that were found with nothing to wake them, and were helped. Should stay 0.',
    registers: [this.#registry],
  })

  readonly #refused = new Counter({
    name: 'orchestrator_worker_messages_refused_total',
    help: 'Messages of workers that were answered with an error, by kind and error code.',
    labelNames: ['message', 'code'],
    registers: [this.#registry],
  })
  readonly #ignored = new Counter({
    name: 'orchestrator_results_ignored_total',
    help: 'Results of workers that changed nothing, by reason.',
    labelNames: ['reason'],
    registers: [this.#registry],
  })
  readonly #storageFigures: StorageFigures

  constructor({ storage, clock, local }: MetricsOptions) {
    this.#storageFigures = new StorageFigures(this.#registry, { storage, clock })
    gauge(this.#registry, {
      name: 'orchestrator_active_workers',
      help: 'Workers that are registered and alive.',
      read: local.workers,
    })
    gauge(this.#registry, {
      name: 'orchestrator_worker_connections',
      help: 'Connections that workers hold open at this orchestrator.',
      read: local.connections,
    })
    gauge(this.#registry, {
      name: 'orchestrator_job_streams',
      help: 'Event streams of jobs that are read at this orchestrator.',
      read: local.streams,
    })
  }

  /** A message of a worker was answered with an error. */
  countRefused(message: WorkerMessage, code: string): void {
    const known: ErrorCode = isErrorCode(code) ? code : 'INTERNAL'
    this.#refused.inc({ message, code: known })
  }

  /** A result of a worker changed nothing. */
  countIgnored(reason: IgnoredReason): void {
    this.#ignored.inc({ reason })
  }

  /** Rows were dropped from a full outbox. */
  countDropped(rows: number): void {
    this.#dropped.inc(rows)
  }

  /** A job that nothing would have woken was found. */
  countRearmed(): void {
    this.#rearmed.inc()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Takes rows into account; a row that is carried twice counts twice. */
  observe(records: readonly HistoryRecord[]): void {
    for (const { type, blueprint, status, durationMs, error } of records) {
      if (type === 'job_created') this.#created.inc({ blueprint })
      if (!ENDINGS.has(type)) continue
      this.#ended.inc({ blueprint, status })
      if (status === 'failed' || status === 'quarantined') this.#failed.inc({ blueprint })
      if (error?.code === 'TIMEOUT_ERROR') this.#timedOut.inc({ blueprint })
      if (durationMs !== undefined) this.#duration.observe({ blueprint }, durationMs / 1000)
    }
  }

  /** All figures in the text format of Prometheus. Those of a store that does not answer are left out. */
  async render(): Promise<string> {
    await this.#storageFigures.refresh()
    return this.#registry.metrics()
  }
}

/** A gauge that is read when it is asked for. */
function gauge(
  registry: Registry,
  {
    name,
    help,
    read,
  }: { readonly name: string; readonly help: string; readonly read: () => number },
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}
