import { isJsonObject, type JsonObject, type Result } from '@avtomatika/protocol'
import { toJsonObject } from '../json/to-json.ts'
import type { TaskOutcome } from '../job/event.ts'
import type { JobError } from '../job/job.ts'

/**
 * What a worker's result means to its job.
 * @throws InputError `DATA_NOT_JSON` or `DATA_TOO_DEEP` for data that no job may hold.
 */
export function taskOutcome(result: Result): TaskOutcome {
  const { status, error } = result
  if (status === 'cancelled') return { kind: 'cancelled' }
  const data = dataOf(result)
  if (status !== 'failure') return { kind: 'completed', status, data }
  if (error === undefined) return { kind: 'failed', error: null, data }
  if (isHandedBack(error.details)) return { kind: 'handed_back' }
  return { kind: 'failed', error: errorOf(error), data }
}

/** A worker that stops says so in a failure that older orchestrators take for a transient one. */
function isHandedBack(details: unknown): boolean {
  return isJsonObject(details) && details['released'] === true
}

/** Anything but an object gets a name, so that it can stand beside other workers' data. */
function dataOf({ data }: Result): JsonObject {
  if (data === undefined || data === null) return {}
  return toJsonObject(isJsonObject(data) ? data : { data }, 'data')
}

function errorOf({ code, message, details }: NonNullable<Result['error']>): JobError {
  if (details === undefined) return { code, message }
  return { code, message, ...toErrorDetails(details) }
}

function toErrorDetails(details: unknown): Pick<JobError, 'details'> {
  return { details: toJsonObject({ details }, 'error')['details'] ?? null }
}
