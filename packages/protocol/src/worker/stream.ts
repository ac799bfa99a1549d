import { isJsonObject } from '../json.ts'

/** The `event_type` of a piece of a task's output. Our extension. */
export const STREAM_EVENT = 'stream'

/** A piece of a task's output, before there is a result. */
export interface StreamChunk {
  /** Any JSON: a piece of text, an object. */
  readonly chunk: unknown
  /** The worker's own count, from any number upwards: a piece that is not above the last is a repeated one. */
  readonly seq?: number
}

/** The piece told by an event's payload, or `undefined` when it tells none. */
export function parseStreamChunk(payload: unknown): StreamChunk | undefined {
  if (!isJsonObject(payload) || payload['chunk'] === undefined) return undefined
  const { chunk, seq } = payload
  if (seq === undefined || seq === null) return { chunk }
  return Number.isSafeInteger(seq) ? { chunk, seq: Number(seq) } : undefined
}

/** The payload of an event that brings a piece of output. */
export function streamPayload(chunk: unknown, seq?: number): Record<string, unknown> {
  return seq === undefined ? { chunk } : { chunk, seq }
}
