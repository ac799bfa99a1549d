import { isJsonObject, TASK_ERROR_CODES, type JsonObject, type Result } from '@avtomatika/protocol'
import { toJsonObject } from '../../json/to-json.ts'
import { bytesOf } from '../../job/data.ts'
import type { TaskOutcome } from '../../job/event.ts'
import type { JobError } from '../../job/vocabulary.ts'
import { tooLarge } from './refusal.ts'

export interface ReadOutcome {
  readonly outcome: TaskOutcome
  /** Why the data were not taken, for the worker to hear. */
  readonly problem: string | undefined
}

/**
 * A result whose data are too large is a failure that no retry can cure: its job is set aside.
 * @param max - in bytes of JSON.
 */
export function readOutcome(result: Result, max: number): ReadOutcome {
  const outcome = taskOutcome(result)
  const data = 'data' in outcome ? outcome.data : {}
  const problem = tooLarge(data, { what: 'The data of the result', max })
  if (problem === undefined) return { outcome, problem }
  const error = { code: TASK_ERROR_CODES.permanent, message: problem }
  return { outcome: { kind: 'failed', error, data: {} }, problem }
}

/**
 * What a worker's result means to its job.
 * @throws InputError `DATA_NOT_JSON` or `DATA_TOO_DEEP` for data that no job may hold.
 */
function taskOutcome(result: Result): TaskOutcome {
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

/** Words about a failure, not data: what is longer is cut, so that a thousand branches can fail. */
const MAX_MESSAGE_LENGTH = 4_000
const MAX_DETAILS_BYTES = 16 * 1024

function errorOf({ code, message, details }: NonNullable<Result['error']>): JobError {
  const said = message.slice(0, MAX_MESSAGE_LENGTH)
  if (details === undefined) return { code, message: said }
  const json = toJsonObject({ details }, 'error')['details'] ?? null
  const bytes = bytesOf(json)
  if (bytes <= MAX_DETAILS_BYTES) return { code, message: said, details: json }
  return { code, message: said, details: { omitted: `${String(bytes)} bytes` } }
}
