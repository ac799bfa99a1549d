// What travels together.  P1 Results that are ready in the same turn of the event loop, if the
// orchestrator takes several at once.  P2 A parcel that failed on its way goes on as two halves: a result
// that no orchestrator can take holds up others for a few tries only.  P3 One that never left is not
// halved, as nothing in it can be the reason.  P4 Whoever's time to try again has come takes along those
// that wait for theirs.
import { MAX_BATCHED_RESULTS, PATHS } from '@avtomatika/protocol'

import type { QueuedResult } from './result-store.ts'
import type { Failure } from './transport.ts'

/** Well below what an orchestrator takes in one message. */
const MAX_CHARACTERS = 256 * 1024

/** Results that are sent in one message. */
export interface Parcel {
  readonly results: readonly QueuedResult[]
  /** How often they were sent in vain. */
  readonly failures: number
  /** Most results that these may travel with. */
  readonly most: number
}

/** Results that were never sent. */
export function freshParcel(results: readonly QueuedResult[]): Parcel {
  return { results, failures: 0, most: MAX_BATCHED_RESULTS }
}

/** Splits what is too much for one message, in order. */
export function fitting({ results, failures, most }: Parcel): readonly Parcel[] {
  const parts: QueuedResult[][] = []
  let characters = 0
  for (const queued of results) {
    const part = parts.at(-1)
    characters += queued.body.length
    if (part !== undefined && part.length < most && characters <= MAX_CHARACTERS) {
      part.push(queued)
      continue
    }
    parts.push([queued])
    characters = queued.body.length
  }
  return parts.map((part) => ({ results: part, failures, most }))
}

/** Each result for itself. */
export function unpacked({ results, failures }: Parcel): readonly Parcel[] {
  return results.map((queued) => ({ results: [queued], failures, most: 1 }))
}

/** What goes on after a failure. */
export function afterFailure({ results, failures, most }: Parcel, failure: Failure): Parcel[] {
  const next = { failures: failures + 1, most }
  if (results.length === 1 || isAboutTheMoment(failure)) return [{ results, ...next }]
  const middle = Math.ceil(results.length / 2)
  return [results.slice(0, middle), results.slice(middle)].map((half) => {
    return { results: half, failures: failures + 1, most: middle }
  })
}

/** Whether both may travel in one message. */
export function canJoin(one: Parcel, other: Parcel): boolean {
  const count = one.results.length + other.results.length
  const characters = sizeOf(one) + sizeOf(other)
  return count <= Math.min(one.most, other.most) && characters <= MAX_CHARACTERS
}

/** Both in one. */
export function joined(one: Parcel, other: Parcel): Parcel {
  return {
    results: [...one.results, ...other.results],
    failures: Math.max(one.failures, other.failures),
    most: Math.min(one.most, other.most),
  }
}

/** Where and how a parcel is sent. A result that is alone goes as it always did. */
export function messageOf({ results }: Parcel): { readonly path: string; readonly body: string } {
  const [first] = results
  if (first === undefined || results.length === 1) {
    return { path: PATHS.taskResult, body: first?.body ?? '' }
  }
  const workerId = JSON.stringify(first.result.worker_id)
  const bodies = results.map(({ body }) => body).join()
  return { path: PATHS.taskResults, body: `{"worker_id":${workerId},"results":[${bodies}]}` }
}

function sizeOf({ results }: Parcel): number {
  return results.reduce((sum, { body }) => sum + body.length, 0)
}

const ABOUT_THE_MOMENT: ReadonlySet<number | null> = new Set([401, 403, 429, 503])

function isAboutTheMoment({ status, neverLeft }: Failure): boolean {
  return neverLeft === true || ABOUT_THE_MOMENT.has(status)
}
