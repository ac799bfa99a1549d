import { jobEventAcceptedSchema, jobEventBodySchema, parseReply } from '@avtomatika/protocol'
import type { JobEventOutcome } from '@avtomatika/protocol'

import { toJsonBody } from './json-body.ts'

/** What happened, for a job that waits for it or will. */
export interface SendEventOptions {
  /** The name the blueprint waits for; 1 to 128 characters. */
  readonly name: string
  /** A plain object that JSON can say. Default `{}`. */
  readonly data?: object | undefined
  /**
   * Two events of a job with the same id count once. 1 to 255 characters. Default: a random one, so
   * that this call's own retries count once.
   */
  readonly eventId?: string | undefined
  /** Ends the call, with the signal's reason; the event may have been taken. */
  readonly signal?: AbortSignal | undefined
}

/** An event that was taken. */
export interface SentEvent {
  /**
   * `received`: the job waited for it and goes on. `stored`: the job keeps it until it waits for it.
   * `repeated`: it had it before.
   */
  readonly outcome: JobEventOutcome
}

/** The JSON of the request; throws as {@link toJsonBody} does. */
export function sendEventBody({ name, data }: SendEventOptions, eventId: string): string {
  return toJsonBody(jobEventBodySchema, { name, data, event_id: eventId }, 'event')
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not the answer to an event. */
export function readSentEvent(body: unknown): SentEvent {
  return { outcome: parseReply(jobEventAcceptedSchema, body, 'accepted event').outcome }
}
