/** What a job has to say to other jobs and to the world. Delivered at least once, in any order. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import type { NewJob } from './event.ts'
import type { EpochMs, Target } from './vocabulary.ts'
import type { ChildReport } from './wait.ts'

interface Identified {
  /** Stable over repeats of the same change. */
  readonly messageId: string
  /** The job that sends the message. */
  readonly from: string
}

/** Makes a child job. */
export interface StartChildMessage extends Identified {
  readonly kind: 'start_child'
  readonly job: NewJob
  readonly start: Target
}
/** Tells a parent how its child ended. */
export interface ChildEndedMessage extends Identified {
  readonly kind: 'child_ended'
  readonly to: string
  readonly report: ChildReport
}
/** Ends a child whose parent waits for it no more. */
export interface CancelJobMessage extends Identified {
  readonly kind: 'cancel_job'
  readonly to: string
  readonly reason: string
}
/** Brings an event to another job. */
export interface DeliverEventMessage extends Identified {
  readonly kind: 'deliver_event'
  readonly to: string
  /** Only a job of the same owner takes it. */
  readonly ownerId: string
  readonly name: string
  readonly data: JsonObject
}
/** Calls the job's webhook. */
export interface NotifyMessage extends Identified {
  readonly kind: 'notify'
  /** Whose job it is. */
  readonly ownerId: string
  readonly url: string
  readonly event: string
  readonly status: string
  readonly result: JsonValue
  readonly error: string | null
  readonly at: EpochMs
}

export type JobMessage =
  StartChildMessage | ChildEndedMessage | CancelJobMessage | DeliverEventMessage | NotifyMessage

/** What a sender fills in; the rest follows from its document. */
export type MessageBody = JobMessage extends infer Message
  ? Message extends JobMessage
    ? Omit<Message, 'messageId' | 'from'>
    : never
  : never
