/** Figures for Prometheus, counted from history rows by the orchestrator that carries them. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { HistoryRecord, RecordType } from '../job/effect.ts'
import type { Clock } from '../ports/clock.ts'
import type { Storage } from '../ports/storage.ts'

const ENDINGS: ReadonlySet<RecordType> = new Set([
  'job_finished',
  'job_failed',
  'job_quarantined',
  'job_cancelled',
])

/** From a tenth of a second to a day. */
const DURATION_BUCKETS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]

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

  constructor({ storage, clock }: { readonly storage: Storage; readonly clock: Clock }) {
    gauge(this.#registry, {
      name: 'orchestrator_task_queue_length',
      help: 'Tasks on offer that no worker has taken yet.',
      read: () => storage.countOfferedTasks(),
    })
    gauge(this.#registry, {
      name: 'orchestrator_step_queue_length',
      help: 'Steps that are ready and that no orchestrator has taken yet.',
      read: async () => (await storage.countSteps()).ready,
    })
    gauge(this.#registry, {
      name: 'orchestrator_steps_running',
      help: 'Steps that orchestrators run at the moment.',
      read: async () => (await storage.countSteps()).leased,
    })
    gauge(this.#registry, {
      name: 'orchestrator_outbox_length',
      help: 'History rows that wait for the history.',
      read: () => storage.countRecords(),
    })
    gauge(this.#registry, {
      name: 'orchestrator_active_workers',
      help: 'Workers that are registered and alive.',
      read: async () => (await storage.listWorkers({ now: clock.now() })).length,
    })
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

  /** All figures in the text format of Prometheus. */
  render(): Promise<string> {
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
  }: { readonly name: string; readonly help: string; readonly read: () => Promise<number> },
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      this.set(await read())
    },
  })
}
