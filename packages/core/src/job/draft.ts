/** A change in the making: the next document and what it has to say so far. */
import type { Effect, HistoryRecord, RecordType } from './effect.ts'
import type { Job } from './job.ts'
import type { MessageBody } from './message.ts'
import type { EpochMs } from './vocabulary.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface Draft {
  readonly at: EpochMs
  /** The document that the change started from; `undefined` for a new job. */
  readonly before: Job | undefined
  readonly job: Mutable<Job>
  /** Records and messages only: what the wait asks for follows from the documents. */
  readonly effects: Effect[]
}

/** Starts a change: a copy of the document, one version on. */
export function draftOf(job: Job, at: EpochMs): Draft {
  return {
    at,
    before: job,
    job: { ...job, version: job.version + 1, updatedAt: at },
    effects: [],
  }
}

type RecordDetails = Omit<
  HistoryRecord,
  'eventId' | 'jobId' | 'ownerId' | 'blueprint' | 'version' | 'at' | 'type' | 'status' | 'state'
>

/** Adds a history row about the document as it stands in the draft. */
export function record(draft: Draft, type: RecordType, details: RecordDetails = {}): void {
  const { job, at, effects } = draft
  const { id: jobId, status, state, version } = job
  const about = { jobId, ownerId: job.owner.clientId, blueprint: job.blueprint.name, version }
  effects.push({
    kind: 'record',
    record: { eventId: nextId(draft), ...about, at, type, status, state, ...details },
  })
}

/** Adds a message to another job or to the world. */
export function send(draft: Draft, body: MessageBody): void {
  const message = { ...body, messageId: nextId(draft), from: draft.job.id }
  draft.effects.push({ kind: 'send', message })
}

/** Stable over repeats of the same change: a change is the only one with its version. */
function nextId({ job, effects }: Draft): string {
  return `${job.id}:${String(job.version)}:${String(effects.length)}`
}
