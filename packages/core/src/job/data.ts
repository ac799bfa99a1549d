/** Data on their way into a job's document, which must stay of a size that can be read and written. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import type { Draft } from './draft.ts'
import type { Job } from './job.ts'
import type { Rules } from './rules.ts'
import { unreachable } from './unreachable.ts'
import type { JobError } from './vocabulary.ts'
import type { Received } from './wait.ts'

/** Takes data into account; the error, if the document would grow too large. */
export function admit(draft: Draft, data: JsonValue, rules: Rules): JobError | null {
  const { job } = draft
  const bytes = bytesOf(data)
  if (job.dataBytes + bytes > rules.maxJobDataBytes) {
    // The bound counts what was overwritten or used up since; only now is it worth a real look.
    job.dataBytes = bytesOf([
      job.initialData,
      job.stateHistory,
      job.lastData,
      job.inbox.map((event) => event.data),
      heldByWait(job),
    ])
  }
  if (job.dataBytes + bytes > rules.maxJobDataBytes) return tooLarge(bytes, draft, rules)
  job.dataBytes += bytes
  return null
}

/** Lays data over what workers returned so far. */
export function merge({ job }: Draft, data: JsonObject): void {
  job.stateHistory = { ...job.stateHistory, ...data }
}

/** Size as JSON in UTF-8, in bytes. */
export function bytesOf(data: JsonValue): number {
  return Buffer.byteLength(JSON.stringify(data))
}

/** What the present wait has gathered, and what the one before it brought. */
function heldByWait({ wait, received }: Job): JsonValue[] {
  const branches = wait?.for === 'branches' ? wait.branches : []
  const gathered = branches.map((branch) => (branch.kind === 'done' ? branch.data : null))
  return [...gathered, ...(received === null ? [] : broughtBy(received))]
}

function broughtBy(received: Received): JsonValue[] {
  switch (received.kind) {
    case 'approval':
      return [received.approval.data]
    case 'child':
      return [received.child.result]
    case 'event':
      return [received.event.data]
    case 'branches':
      return received.branches.map(({ data }) => data)
    default:
      return unreachable(received)
  }
}

function tooLarge(bytes: number, { job }: Draft, { maxJobDataBytes }: Rules): JobError {
  const message =
    `The job has ${String(job.dataBytes)} bytes of data and cannot take ${String(bytes)} more; the ` +
    `limit is ${String(maxJobDataBytes)} (maxJobDataBytes). Put large data into files and pass ` +
    'references to them.'
  return { code: 'DATA_TOO_LARGE', message }
}
