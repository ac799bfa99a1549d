/** Pieces of output among the events of workers that stream. */
import {
  InputError,
  parseStreamChunk,
  STREAM_EVENT,
  type EventReply,
  type NormalisedEvent,
} from '@avtomatika/protocol'
import type { IncomingChunks } from '../engine/lines/chunk-intake.ts'
import type { WorkerLines } from '../engine/lines/worker-lines.ts'
import { toJson } from '../json/to-json.ts'

/** Older workers may have an event of the same name; theirs is an event like any other. */
export async function isStreamEvent(
  event: NormalisedEvent,
  workerId: string,
  lines: WorkerLines,
): Promise<boolean> {
  return event.eventType === STREAM_EVENT && (await lines.understands(workerId, 'stream'))
}

/** @throws InputError `INVALID_REQUEST` for an event that brings no piece of output. */
export function chunkOf({ payload }: NormalisedEvent): IncomingChunks['chunks'][number] {
  const said = parseStreamChunk(payload)
  if (said === undefined) {
    const message = 'payload.chunk: expected any JSON, and seq, if it is sent, a whole number'
    throw new InputError('INVALID_REQUEST', { message })
  }
  return { seq: said.seq ?? null, chunk: toJson(said.chunk, 'payload.chunk') }
}

/** Hands pieces of one task on; the answer holds for each of them. */
export async function takeChunks(
  { jobId, taskId }: NormalisedEvent,
  workerId: string,
  chunks: IncomingChunks['chunks'],
  lines: WorkerLines,
): Promise<EventReply> {
  const ignored =
    jobId === undefined
      ? 'job_not_found'
      : await lines.chunks.take({ jobId, taskId: taskId ?? null, workerId, chunks })
  return { status: 'event_accepted', ...(ignored !== undefined && { ignored }) }
}
