/**
 * Ids of tasks: `task-<job>-<number>-<attempt>`.
 *
 * The number is the job's own count. The branches of a fan-out are dispatched in their order while
 * nothing else of the job counts, so their numbers say which of them a task is, whatever its attempt.
 */

/** The id of an attempt at the task with this number. */
export function taskIdOf(jobId: string, number: number, attempt: number): string {
  return `task-${jobId}-${String(number)}-${String(attempt)}`
}

/** The id of a later attempt at the same task. */
export function withAttempt(taskId: string, attempt: number): string {
  return taskId.slice(0, taskId.lastIndexOf('-') + 1) + String(attempt)
}

/**
 * The place of a branch, from 0.
 * @param first - the id of any attempt at the branch that was dispatched first.
 * @returns what is no place in a list for ids that are none of ours.
 */
export function placeAfter(first: string, taskId: string): number {
  return numberIn(taskId) - numberIn(first)
}

function numberIn(taskId: string): number {
  const end = taskId.lastIndexOf('-')
  return Number(taskId.slice(taskId.lastIndexOf('-', end - 1) + 1, end))
}
