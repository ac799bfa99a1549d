import { ConnectionError, isJsonObject } from '@avtomatika/protocol'

import { listOf, numberOf, textOf, timeOf } from './read-field.ts'

/** A worker as the orchestrator knows it. `null` = the server does not say. Times are ms since 1970. */
export interface WorkerInfo {
  readonly id: string
  readonly type: string | null
  readonly status: string | null
  /** Names of what it can do. */
  readonly skills: readonly string[]
  readonly maxConcurrentTasks: number | null
  /** Ids of the tasks it holds. */
  readonly currentTaskIds: readonly string[]
  readonly reputation: number | null
  readonly registeredAt: number | null
  readonly lastSeenAt: number | null
  /** The document as it was sent, with fields this version does not know. */
  readonly raw: Readonly<Record<string, unknown>>
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not a list of workers. */
export function readWorkers(body: unknown): readonly WorkerInfo[] {
  return readList(body, 'workers').map(readWorker)
}

/**
 * Ids from a list of jobs; servers send whole jobs or just their ids.
 *
 * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not such a list.
 */
export function readJobIds(body: unknown): readonly string[] {
  return readList(body, 'jobs').map((item) => {
    const id = isJsonObject(item) ? (textOf(item, 'id') ?? textOf(item, 'job_id')) : item
    if (typeof id !== 'string') throw unexpected('jobs')
    return id
  })
}

function readWorker(body: unknown): WorkerInfo {
  const raw = isJsonObject(body) ? body : {}
  const id = textOf(raw, 'worker_id')
  if (id === null) throw unexpected('workers')
  const skills = [...listOf(raw, 'supported_skills'), ...listOf(raw, 'supported_tasks')]
  return {
    id,
    type: textOf(raw, 'worker_type'),
    status: textOf(raw, 'status'),
    skills: [...new Set(skills.flatMap(skillName))],
    maxConcurrentTasks: numberOf(raw, 'max_concurrent_tasks'),
    currentTaskIds: listOf(raw, 'current_tasks').filter((task) => typeof task === 'string'),
    reputation: numberOf(raw, 'reputation'),
    registeredAt: timeOf(raw, 'registered_at'),
    lastSeenAt: timeOf(raw, 'last_seen_at'),
    raw,
  }
}

// A skill is sent as its name, or as a description that has one.
function skillName(skill: unknown): readonly string[] {
  const name = isJsonObject(skill) ? textOf(skill, 'name') : skill
  return typeof name === 'string' ? [name] : []
}

function readList(body: unknown, what: string): readonly unknown[] {
  if (Array.isArray(body)) return body
  throw unexpected(what)
}

function unexpected(what: string): ConnectionError {
  return new ConnectionError('UNEXPECTED_RESPONSE', {
    message: `The server did not send a list of ${what}. Is \`url\` an orchestrator?`,
  })
}
