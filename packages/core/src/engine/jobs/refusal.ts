/** What `advance` refuses, as the error that its caller gets. */
import { AvtomatikaError, createError, LimitError, type JsonObject } from '@avtomatika/protocol'
import { bytesOf } from '../../job/data.ts'
import type { Decision } from '../../job/decision.ts'

/** @throws AvtomatikaError with the code of a refusal. */
export function accepted(decision: Decision): Exclude<Decision, { kind: 'refused' }> {
  if (decision.kind !== 'refused') return decision
  throw createError(decision.code, { message: decision.message })
}

/** @throws LimitError `DATA_TOO_LARGE` that says how large, and what to do. */
export function assertSize(
  data: JsonObject,
  { what, max }: { readonly what: string; readonly max: number },
): void {
  const problem = tooLarge(data, { what, max })
  if (problem !== undefined) throw new LimitError('DATA_TOO_LARGE', { message: problem })
}

/** Why data are too large; `undefined` if they are not. */
export function tooLarge(
  data: JsonObject,
  { what, max }: { readonly what: string; readonly max: number },
): string | undefined {
  const bytes = bytesOf(data)
  if (bytes <= max) return undefined
  return (
    `${what} have ${String(bytes)} bytes; the limit is ${String(max)} (MAX_DATA_BYTES). ` +
    'Put large data into files and pass references to them.'
  )
}

/** Whether the same call cannot succeed later. */
export function isFinal(error: unknown): boolean {
  return AvtomatikaError.is(error) && !error.retry
}
