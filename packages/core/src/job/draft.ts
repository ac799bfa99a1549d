/** A change in the making: the next document and the effects gathered so far. */
import type { Effect, HistoryRecord, RecordType } from './effect.ts'
import type { EpochMs, Job } from './job.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface Draft {
  readonly at: EpochMs
  readonly job: Mutable<Job>
  readonly effects: Effect[]
}

/** Starts a change: a copy of the document, one version on. */
export function draftOf(job: Job, at: EpochMs): Draft {
  return { at, job: { ...job, version: job.version + 1, updatedAt: at }, effects: [] }
}

type RecordDetails = Omit<
  HistoryRecord,
  'eventId' | 'jobId' | 'ownerId' | 'at' | 'type' | 'status' | 'state'
>

/** Adds a history row about the document as it stands in the draft. */
export function record(draft: Draft, type: RecordType, details: RecordDetails = {}): void {
  const { job, at, effects } = draft
  const index = effects.reduce((n, effect) => (effect.kind === 'record' ? n + 1 : n), 0)
  const { status, state } = job
  const eventId = `${job.id}:${String(job.version)}:${String(index)}`
  const ownerId = job.owner.clientId
  effects.push({
    kind: 'record',
    record: { eventId, jobId: job.id, ownerId, at, type, status, state, ...details },
  })
}
