import {
  ConnectionError,
  InputError,
  isJsonObject,
  MAX_PENDING_TASKS,
  parseReply,
  pendingTasksViewSchema,
  skillCatalogSchema,
  workerDrainedSchema,
  workerEvictedSchema,
} from '@avtomatika/protocol'

/** What can be had of a skill, and from how many. */
export interface SkillOffer {
  readonly name: string
  /** Workers that offer it. */
  readonly providers: number
  /** Those of them that are given tasks: neither leaving nor distrusted. */
  readonly available: number
  /** Every version that is offered, in order. */
  readonly versions: readonly string[]
  readonly workerTypes: readonly string[]
  /** Of one task; `null` when nobody names a price. */
  readonly price: { readonly min: number; readonly max: number } | null
  /** 0 to 1. */
  readonly averageReputation: number
  /** As a worker describes it, in the words of the wire: schemas, statuses, whatever it adds. */
  readonly contract: Readonly<Record<string, unknown>>
}

/** Which tasks to list. */
export interface PendingTaskOptions {
  /** Most tasks to list, the longest waiting of them. 1 to 1000. Default 100. */
  readonly limit?: number | undefined
  /** Ends the call, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A task that no worker has taken yet. Times are ms since 1970. */
export interface PendingTask {
  readonly taskId: string
  readonly jobId: string
  readonly blueprintName: string
  /** Name of the skill that is wanted. */
  readonly type: string
  /** Of a parallel step; `null` for a task by itself. */
  readonly branch: string | null
  readonly priority: number
  readonly attempt: number
  /** When the job first asked for it. */
  readonly dispatchedAt: number
  /** How long it has been wanted, over all attempts, in ms. */
  readonly waitedMs: number
  /** When it is given up; `null` for a task that waits for as long as it takes. */
  readonly expiresAt: number | null
  /** Why nobody takes it, in a sentence. */
  readonly why: string
  /** Workers that are registered. */
  readonly workers: number
  /** The same in numbers, the most frequent reason first. */
  readonly reasons: readonly PendingReason[]
}

/** Why some workers do not take a task. */
export interface PendingReason {
  /** Such as `skill`, `resources`, `full`; more may come. */
  readonly reason: string
  /** Workers that this holds for; each counts once. */
  readonly count: number
  readonly text: string
}

/** Whether a worker is to get tasks. */
export interface DrainOptions {
  /** `false` gives it tasks again. Default true. */
  readonly drain?: boolean | undefined
  /** Ends the call, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not a catalog. */
export function readSkillCatalog(body: unknown): readonly SkillOffer[] {
  const catalog = parseReply(skillCatalogSchema, body, 'skill catalog')
  return Object.entries(catalog).map(([name, entry]) => ({
    name,
    providers: entry.providers_count,
    available: entry.available_count,
    versions: entry.versions,
    workerTypes: entry.worker_types,
    price: entry.price && { min: entry.price.min, max: entry.price.max },
    averageReputation: entry.average_reputation,
    contract: entry.contract,
  }))
}

/** @throws {@link InputError} when the limit cannot be asked for. */
export function pendingTaskQuery({ limit }: PendingTaskOptions): string {
  if (limit === undefined) return ''
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PENDING_TASKS) return `?limit=${limit}`
  throw new InputError('INVALID_REQUEST', {
    message: `limit must be a whole number from 1 to ${MAX_PENDING_TASKS}, got ${String(limit)}.`,
    details: { option: 'limit' },
  })
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not a list of tasks. */
export function readPendingTasks(body: unknown): readonly PendingTask[] {
  const { tasks } = parseReply(pendingTasksViewSchema, body, 'list of pending tasks')
  return tasks.map((task) => ({
    taskId: task.task_id,
    jobId: task.job_id,
    blueprintName: task.blueprint_name,
    type: task.type,
    branch: task.branch,
    priority: task.priority,
    attempt: task.attempt,
    dispatchedAt: Date.parse(task.dispatched_at),
    waitedMs: task.waiting_seconds * 1000,
    expiresAt: task.expires_at === null ? null : Date.parse(task.expires_at),
    why: task.why,
    workers: task.workers,
    reasons: task.reasons.map(({ reason, count, text }) => ({ reason, count, text })),
  }))
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not the answer to a drain. */
export function checkDrained(body: unknown): void {
  parseReply(workerDrainedSchema, body, 'answer to draining a worker')
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not the answer to an eviction. */
export function checkEvicted(body: unknown): void {
  parseReply(workerEvictedSchema, body, 'answer to evicting a worker')
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not the answer to a reload. */
export function checkReloaded(body: unknown): void {
  if (isJsonObject(body) && typeof body['status'] === 'string') return
  throw new ConnectionError('UNEXPECTED_RESPONSE', {
    message: 'The server did not say that it has read the worker tokens. Is `url` an orchestrator?',
  })
}
