/** Checks of what an author hands to an action. */
import { describeIssues, InputError, type JsonObject } from '@avtomatika/protocol'
import type { ZodType } from 'zod'
import { toJsonObject } from '../json/to-json.ts'

const MAX_SECONDS = 30 * 86_400
/** Sleeps and waits for people may be long: ten years. */
export const MAX_WAIT_SECONDS = 3_650 * 86_400

/** @throws InputError `INVALID_INPUT` saying what is wrong with which action. */
export function check(holds: boolean, what: string, problem: string): asserts holds {
  if (!holds) throw new InputError('INVALID_INPUT', { message: `${what}: ${problem}.` })
}

/**
 * Seconds as milliseconds; `null` for none.
 * @throws InputError `INVALID_INPUT` for times that are not more than 0 and at most `max` seconds.
 */
export function milliseconds(
  what: string,
  name: string,
  seconds: number | undefined,
  max = MAX_SECONDS,
): number | null {
  if (seconds === undefined) return null
  const isInRange = Number.isFinite(seconds) && seconds > 0 && seconds <= max
  const range = `more than 0 and at most ${String(max)} seconds`
  check(isInRange, what, `${name} must be ${range}, got ${String(seconds)}`)
  return Math.ceil(seconds * 1000)
}

export interface Fit {
  /** What is checked, for the error: `the data of event 'paid'`. */
  readonly what: string
  /** What paths in the error begin with. Default: nothing. */
  readonly root?: string
}

/**
 * Data that a schema has accepted, as JSON.
 * @throws InputError `INVALID_INPUT` listing what does not fit.
 */
export async function fitting(schema: ZodType, data: unknown, fit: Fit): Promise<JsonObject> {
  const parsed = await schema.safeParseAsync(data)
  if (parsed.success) return toJsonObject(parsed.data, fit.root ?? fit.what)
  throw misfit(fit, parsed.error)
}

/** The error for data that a schema refuses. */
export function misfit(
  { what, root = '' }: Fit,
  error: Parameters<typeof describeIssues>[0],
): InputError {
  const issues = describeIssues(error).map(({ path, message }) => {
    const below = root === '' || path === '' || path.startsWith('[') ? path : `.${path}`
    return { path: `${root}${below}`, message }
  })
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  return new InputError('INVALID_INPUT', { message: `${what}: ${list}`, details: { issues } })
}
