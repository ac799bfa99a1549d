/** How a worker looks to clients: what it can do, not where it is (D-59). */
import type { JsonObject, WorkerView } from '@avtomatika/protocol'
import type { WorkerRecord } from '../ports/worker-record.ts'

/** What a worker said that clients may see as it was said. */
const PUBLIC_FIELDS = [
  'resources',
  'installed_software',
  'installed_models',
  'installed_artifacts',
  'hot_cache',
] as const

export function workerView(worker: WorkerRecord): WorkerView {
  return {
    ...publicFields(worker.registration),
    worker_id: worker.workerId,
    worker_type: worker.workerType,
    status: worker.isDraining === true ? 'draining' : worker.status,
    load: worker.load,
    supported_skills: worker.skills.map(({ name, version }) => ({ name, version })),
    hot_skills: [...worker.hotSkills],
    supported_tasks: worker.skills.map(({ name }) => name),
    max_concurrent_tasks: worker.maxConcurrentTasks,
    current_tasks: [...worker.currentTasks],
    reputation: worker.reputation,
    registered_at: new Date(worker.registeredAt).toISOString(),
    last_seen_at: new Date(worker.lastSeenAt).toISOString(),
  }
}

function publicFields(registration: JsonObject): Record<string, unknown> {
  const said = PUBLIC_FIELDS.filter((name) => registration[name] !== undefined)
  return Object.fromEntries(said.map((name) => [name, registration[name]]))
}
