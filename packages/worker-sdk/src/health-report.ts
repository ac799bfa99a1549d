// Health rules.  H1 `/health` is red when no orchestrator has accepted a sign of life for STALE_BEATS
// intervals: whoever watches the worker may restart it. A start has as much time.  H2 `/ready` is green
// while at least one orchestrator hands this worker tasks: it knows the worker, and the worker takes more.
import type { SessionHealth } from './session.ts'

/** After so many intervals without an accepted heartbeat the orchestrator has given the worker up. */
const STALE_BEATS = 3

/** The worker at one moment. */
export interface WorkerSnapshot {
  readonly workerId: string
  /** In ms since 1970, as all times here. */
  readonly now: number
  readonly startedAt: number
  readonly heartbeatIntervalMs: number
  readonly slots: number
  readonly load: number
  readonly isDraining: boolean
  readonly sessions: readonly SessionHealth[]
}

/** What is told of one orchestrator. */
interface OrchestratorReport {
  readonly url: string
  readonly registered: boolean
  /** ISO 8601; `null` = never. */
  readonly last_accepted_at: string | null
  readonly accepting: boolean
  readonly results_waiting: number
}

/** What `/health` and `/ready` tell. */
export interface HealthReport {
  readonly isHealthy: boolean
  readonly isReady: boolean
  readonly body: {
    readonly status: 'ok' | 'heartbeats_not_accepted'
    readonly ready: boolean
    readonly worker_id: string
    readonly draining: boolean
    readonly load: number
    readonly slots: number
    readonly orchestrators: readonly OrchestratorReport[]
  }
}

/** How the worker is, for whoever watches it. */
export function reportHealth(snapshot: WorkerSnapshot): HealthReport {
  const { workerId, now, startedAt, isDraining, load, slots, sessions } = snapshot
  const freshSince = now - STALE_BEATS * snapshot.heartbeatIntervalMs
  const isHealthy =
    startedAt > freshSince || sessions.some(({ acceptedAt }) => acceptedAt > freshSince)
  const orchestrators = sessions.map((session) => describe(session, freshSince))
  const isReady =
    !isDraining && orchestrators.some(({ registered, accepting }) => registered && accepting)
  return {
    isHealthy,
    isReady,
    body: {
      status: isHealthy ? 'ok' : 'heartbeats_not_accepted',
      ready: isReady,
      worker_id: workerId,
      draining: isDraining,
      load,
      slots,
      orchestrators,
    },
  }
}

function describe(
  { url, isRegistered, acceptedAt, results }: SessionHealth,
  freshSince: number,
): OrchestratorReport {
  return {
    url,
    registered: isRegistered,
    last_accepted_at: Number.isFinite(acceptedAt) ? new Date(acceptedAt).toISOString() : null,
    accepting: acceptedAt > freshSince,
    results_waiting: results.waiting,
  }
}

/** The same and the counters, in the text format of Prometheus. */
export function reportMetrics(snapshot: WorkerSnapshot): string {
  const { isHealthy } = reportHealth(snapshot)
  const { sessions, load, slots } = snapshot
  const perOrchestrator = (read: (session: SessionHealth) => number): readonly Sample[] =>
    sessions.map((session) => ({ labels: { orchestrator: session.url }, value: read(session) }))
  return [
    metric('worker_healthy', 'gauge', [{ value: Number(isHealthy) }]),
    metric('worker_tasks_running', 'gauge', [{ value: load }]),
    metric('worker_slots', 'gauge', [{ value: slots }]),
    metric(
      'worker_registered',
      'gauge',
      perOrchestrator(({ isRegistered }) => Number(isRegistered)),
    ),
    metric(
      'worker_heartbeats_accepted_total',
      'counter',
      perOrchestrator(({ heartbeats }) => heartbeats.accepted),
    ),
    metric(
      'worker_heartbeats_failed_total',
      'counter',
      perOrchestrator(({ heartbeats }) => heartbeats.failed),
    ),
    metric(
      'worker_results_waiting',
      'gauge',
      perOrchestrator(({ results }) => results.waiting),
    ),
    metric(
      'worker_results_delivered_total',
      'counter',
      perOrchestrator(({ results }) => results.delivered),
    ),
    metric(
      'worker_results_refused_total',
      'counter',
      perOrchestrator(({ results }) => results.refused),
    ),
    metric(
      'worker_result_failures_total',
      'counter',
      perOrchestrator(({ results }) => results.failed),
    ),
  ].join('')
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

function metric(name: string, type: 'gauge' | 'counter', samples: readonly Sample[]): string {
  const full = `avtomatika_${name}`
  const lines = samples.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`)
    return `${full}${pairs.length === 0 ? '' : `{${pairs.join()}}`} ${value}\n`
  })
  return `# TYPE ${full} ${type}\n${lines.join('')}`
}
