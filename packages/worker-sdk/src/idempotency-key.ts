import type { TaskPayload } from '@avtomatika/protocol'

/**
 * A name for the work of a task that stays the same when the task is tried again, so that a service
 * which remembers keys does the work once.
 *
 * An id that ends with the attempt belongs to one try only, so that part is left out. Some
 * orchestrators use the job's id for all of its tasks; the type tells those apart.
 */
export function idempotencyKeyOf({ job_id, task_id, type, attempt }: TaskPayload): string {
  const suffix = attempt == null ? '' : `-${attempt}`
  const isPerTry = suffix !== '' && task_id.endsWith(suffix) && task_id.length > suffix.length
  return `${job_id}/${type}/${isPerTry ? task_id.slice(0, -suffix.length) : task_id}`
}
