const WORKER_PREFIX = '/_worker'
const PUBLIC_PREFIX = '/_public'

/** Paths between workers and orchestrator, and the public ones. Ids are percent-encoded. */
export const PATHS = {
  /** POST. */
  registerWorker: `${WORKER_PREFIX}/workers/register`,
  /** GET; a long poll. */
  pollTask: (workerId: string): string =>
    `${WORKER_PREFIX}/workers/${encodeURIComponent(workerId)}/tasks/next`,
  /** PATCH. */
  heartbeat: (workerId: string): string =>
    `${WORKER_PREFIX}/workers/${encodeURIComponent(workerId)}`,
  /** POST. */
  taskResult: `${WORKER_PREFIX}/tasks/result`,
  /** POST; several results at once. */
  taskResults: `${WORKER_PREFIX}/tasks/results`,
  /** POST; the worker has got its tasks. */
  acknowledgeTasks: `${WORKER_PREFIX}/tasks/ack`,
  /** POST. */
  workerEvents: `${WORKER_PREFIX}/events`,
  /** POST. */
  issueToken: `${WORKER_PREFIX}/auth/token`,
  /** POST. */
  refreshToken: `${WORKER_PREFIX}/auth/token/refresh`,
  /** GET; WebSocket. Without an id the worker is known by its credentials. */
  socket: (workerId?: string): string =>
    workerId === undefined
      ? `${WORKER_PREFIX}/ws`
      : `${WORKER_PREFIX}/ws/${encodeURIComponent(workerId)}`,
  /** GET; no authentication. */
  status: `${PUBLIC_PREFIX}/status`,
  /** GET. */
  quarantined: `${PUBLIC_PREFIX}/jobs/quarantined`,
  /** POST; decides a job that waits for a person. */
  approval: (jobId: string): string =>
    `${PUBLIC_PREFIX}/webhooks/approval/${encodeURIComponent(jobId)}`,
} as const

/** Paths of the client API under one prefix and version; see {@link clientPaths}. */
export interface ClientPaths {
  /** The common part, without a trailing slash; blueprints' own endpoints are below it. */
  readonly base: string
  readonly jobs: string
  readonly workers: string
  /** GET; skills with their providers. */
  readonly workerCatalog: string
  /** GET; tasks that no worker has taken yet. */
  readonly pendingTasks: string
  /** POST; admins only. */
  readonly drainWorker: (workerId: string) => string
  /** POST; admins only. */
  readonly evictWorker: (workerId: string) => string
  /** POST; admins only. Reads the tokens of workers again. */
  readonly reloadWorkers: string
  /** GET. */
  readonly job: (jobId: string) => string
  /** POST. */
  readonly cancelJob: (jobId: string) => string
  /** GET. */
  readonly jobHistory: (jobId: string) => string
  /** POST sends the job an event; GET is its event stream. */
  readonly jobEvents: (jobId: string) => string
  /** GET; the blueprint's graph with the job's state marked. */
  readonly jobGraph: (jobId: string) => string
  /** POST; lets a quarantined job go on. */
  readonly retryJob: (jobId: string) => string
  /** POST; gives a quarantined job up. */
  readonly discardJob: (jobId: string) => string
  /** GET. */
  readonly quarantine: string
  /** POST; many at once. */
  readonly retryQuarantined: string
  /** POST; many at once. */
  readonly discardQuarantined: string
  /** GET; webhook calls that were given up. */
  readonly deadLetters: string
  /** POST; sends such a call again. */
  readonly resendDeadLetter: (id: string) => string
  /** GET. */
  readonly blueprintGraph: (name: string) => string
  /** POST; creates a job of the blueprint with this endpoint. A missing leading slash is added. */
  readonly createJob: (endpoint: string) => string
}

/**
 * Paths of the client API.
 *
 * @param prefix - where the API is mounted. Default `/api`; `''` mounts it at the root.
 * @param version - version segment, such as `v1`. Default: none.
 */
export function clientPaths(prefix = '/api', version?: string): ClientPaths {
  const base = joinSegments(prefix, version ?? '')
  const job = (jobId: string): string => `${base}/jobs/${encodeURIComponent(jobId)}`
  return {
    base,
    jobs: `${base}/jobs`,
    workers: `${base}/workers`,
    workerCatalog: `${base}/workers/catalog`,
    pendingTasks: `${base}/tasks/pending`,
    drainWorker: (workerId) => `${base}/workers/${encodeURIComponent(workerId)}/drain`,
    evictWorker: (workerId) => `${base}/workers/${encodeURIComponent(workerId)}/evict`,
    reloadWorkers: `${base}/admin/reload-workers`,
    job,
    cancelJob: (jobId) => `${job(jobId)}/cancel`,
    jobHistory: (jobId) => `${job(jobId)}/history`,
    jobEvents: (jobId) => `${job(jobId)}/events`,
    jobGraph: (jobId) => `${job(jobId)}/graph`,
    retryJob: (jobId) => `${job(jobId)}/retry`,
    discardJob: (jobId) => `${job(jobId)}/discard`,
    quarantine: `${base}/quarantine`,
    retryQuarantined: `${base}/quarantine/retry`,
    discardQuarantined: `${base}/quarantine/discard`,
    deadLetters: `${base}/webhooks/dead-letters`,
    resendDeadLetter: (id) => `${base}/webhooks/dead-letters/${encodeURIComponent(id)}/resend`,
    blueprintGraph: (name) => `${base}/blueprints/${encodeURIComponent(name)}/graph`,
    createJob: (endpoint) => `${base}${joinSegments(endpoint)}`,
  }
}

function joinSegments(...parts: readonly string[]): string {
  return parts
    .flatMap((part) => part.split('/'))
    .filter((segment) => segment !== '')
    .map((segment) => `/${segment}`)
    .join('')
}
