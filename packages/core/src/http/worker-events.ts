/** What workers tell while they work. */
import {
  IGNORED_REASONS,
  InputError,
  normaliseEvent,
  parseProgress,
  PROGRESS_EVENT,
  type EventReply,
  type NormalisedEvent,
} from '@avtomatika/protocol'
import type { Engine } from '../engine/engine.ts'
import { accepted } from '../engine/jobs/refusal.ts'
import type { Decision } from '../job/decision.ts'
import { toJsonObject } from '../json/to-json.ts'
import type { Ids } from '../ports/ids.ts'
import { chunkOf, isStreamEvent, takeChunks } from './stream-events.ts'
import { mismatch } from './worker-auth.ts'

export interface WorkerEventOptions {
  readonly engine: Engine
  readonly ids: Ids
}

/**
 * Takes an event. One that changes nothing is accepted too, with the reason: its worker cannot do
 * anything about it, and older ones look at the status alone.
 */
export async function takeWorkerEvent(
  body: unknown,
  workerId: string,
  { engine, ids }: WorkerEventOptions,
): Promise<EventReply> {
  const event = normaliseEvent(body, workerId)
  if (event.workerId !== workerId) throw mismatch(workerId, event.workerId)
  const { lines } = engine
  if (await isStreamEvent(event, workerId, lines)) {
    return takeChunks(event, workerId, [chunkOf(event)], lines)
  }
  const isProgress = event.eventType === PROGRESS_EVENT
  const progress = isProgress ? progressOf(event) : undefined
  const { jobId } = event
  if (jobId === undefined) return reply({ kind: 'ignored', reason: IGNORED_REASONS.jobNotFound })
  const taskId = event.taskId ?? null
  if (progress !== undefined) {
    return reply(await engine.reportProgress({ jobId, taskId, workerId, ...progress }))
  }
  const decision = await engine.events.reportByWorker({
    jobId,
    taskId,
    workerId,
    eventId: event.eventId ?? ids.jobId(),
    type: event.eventType,
    payload: toJsonObject(event.payload, 'payload'),
  })
  return reply(decision)
}

function reply(decision: Decision): EventReply {
  const taken = accepted(decision)
  return { status: 'event_accepted', ...(taken.kind === 'ignored' && { ignored: taken.reason }) }
}

/** @throws InputError `INVALID_REQUEST` for progress that does not say how far. */
function progressOf({ payload }: NormalisedEvent): {
  readonly progress: number
  readonly message: string | null
} {
  const said = parseProgress(payload)
  if (said === undefined) {
    const message = 'payload.progress: expected a number from 0 to 1'
    throw new InputError('INVALID_REQUEST', { message })
  }
  const progress = Math.min(1, Math.max(0, said.progress))
  return { progress, message: said.message ?? null }
}
