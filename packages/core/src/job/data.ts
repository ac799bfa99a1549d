/** Data on their way into a job's document, which must stay of a size that can be read and written. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import { branchesIn } from './branch-table.ts'
import type { Draft } from './draft.ts'
import type { Job } from './job.ts'
import type { Rules } from './rules.ts'
import { unreachable } from './unreachable.ts'
import type { TaskSpec } from './task.ts'
import type { JobError } from './vocabulary.ts'
import type { Received } from './wait.ts'

/** Takes data into account; the error, if the document would grow too large. */
export function admit(draft: Draft, data: JsonValue, rules: Rules): JobError | null {
  const bytes = bytesOf(data)
  const problem = makeRoom(draft, bytes, rules)
  if (problem === null) draft.job.dataBytes += bytes
  return problem
}

/** The error, if tasks with these params would make the document too large; they go with their wait. */
export function admitTasks(
  draft: Draft,
  tasks: readonly Pick<TaskSpec, 'params'>[],
  rules: Rules,
): JobError | null {
  const bytes = tasks.reduce((sum, { params }) => sum + bytesOf(params), 0)
  return makeRoom(draft, bytes, rules)
}

function makeRoom(draft: Draft, bytes: number, rules: Rules): JobError | null {
  const { job } = draft
  if (job.dataBytes + bytes > rules.maxJobDataBytes) {
    // The bound counts what was overwritten or used up since; only now is it worth a real look.
    job.dataBytes = dataIn(job).reduce<number>((sum, piece) => sum + bytesOf(piece), 0)
  }
  return job.dataBytes + bytes > rules.maxJobDataBytes ? tooLarge(bytes, draft, rules) : null
}

/** Lays data over what workers returned so far. */
export function merge({ job }: Draft, data: JsonObject): void {
  job.stateHistory = { ...job.stateHistory, ...data }
}

/** Size as JSON in UTF-8, in bytes. */
export function bytesOf(data: JsonValue): number {
  return Buffer.byteLength(JSON.stringify(data))
}

/** All the data that a document holds; what stands in two places counts once, as when it came. */
function dataIn({ initialData, stateHistory, lastData, inbox, wait, received }: Job): JsonValue[] {
  const branches = wait?.for === 'branches' ? branchesIn(wait.branches) : []
  const pieces = [
    stateHistory,
    without(initialData, stateHistory),
    lastData && without(lastData, stateHistory),
    ...inbox.map(({ data }) => data),
    ...branches.map((branch) => (branch.kind === 'done' ? branch.data : null)),
    ...(received === null ? [] : broughtBy(received)),
  ]
  return pieces.filter((piece) => piece !== null)
}

/** The entries of `data` that do not stand in `other` as well. */
function without(data: JsonObject, other: JsonObject): JsonObject {
  const own = Object.entries(data).filter(
    ([key, value]) =>
      !Object.hasOwn(other, key) || JSON.stringify(other[key]) !== JSON.stringify(value),
  )
  return Object.fromEntries(own)
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
