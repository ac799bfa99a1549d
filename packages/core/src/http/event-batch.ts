/** Several events in one message, in their order. */
import {
  normaliseEvent,
  type EventBatchReply,
  type EventReply,
  type NormalisedEvent,
} from '@avtomatika/protocol'
import type { FastifyBaseLogger } from 'fastify'
import type { IncomingChunks } from '../engine/lines/chunk-intake.ts'
import { refusedItem } from './refused-item.ts'
import { chunkOf, isStreamEvent, takeChunks } from './stream-events.ts'
import { takeWorkerEvent, type WorkerEventOptions } from './worker-events.ts'

export interface EventBatchOptions extends WorkerEventOptions {
  readonly log: Pick<FastifyBaseLogger, 'error'>
}

/** Pieces of output of one task that stand one after the other: they are told at once. */
interface Run {
  readonly event: NormalisedEvent
  readonly chunks: IncomingChunks['chunks'][number][]
}

interface Piece {
  readonly event: NormalisedEvent
  readonly chunk: IncomingChunks['chunks'][number]
}

/** Takes the events one after the other; one that is refused holds up no other. */
export async function takeEventBatch(
  bodies: readonly unknown[],
  workerId: string,
  options: EventBatchOptions,
): Promise<EventBatchReply> {
  const results: EventReply[] = []
  let run: Run | undefined
  const endRun = async (): Promise<void> => {
    if (run === undefined) return
    const { event, chunks } = run
    run = undefined
    const { lines } = options.engine
    const reply = await guarded(() => takeChunks(event, workerId, chunks, lines), options)
    results.push(...chunks.map(() => reply))
  }
  for (const body of bodies) {
    const piece = await pieceOf(body, workerId, options)
    if (piece === undefined || !belongsTo(run, piece.event)) await endRun()
    if (piece === undefined) {
      results.push(await guarded(() => takeWorkerEvent(body, workerId, options), options))
      continue
    }
    run ??= { event: piece.event, chunks: [] }
    run.chunks.push(piece.chunk)
  }
  await endRun()
  return { status: 'event_accepted', results }
}

/** `undefined` for what is no piece of output, or none that can be taken. */
async function pieceOf(
  body: unknown,
  workerId: string,
  { engine }: EventBatchOptions,
): Promise<Piece | undefined> {
  const event = readEvent(body, workerId)
  if (event?.workerId !== workerId) return undefined
  if (!(await isStreamEvent(event, workerId, engine.lines))) return undefined
  const chunk = readChunk(event)
  return chunk && { event, chunk }
}

function readEvent(body: unknown, workerId: string): NormalisedEvent | undefined {
  try {
    return normaliseEvent(body, workerId)
  } catch {
    // Taken as a single event it is refused with the reason.
    return undefined
  }
}

function readChunk(event: NormalisedEvent): Piece['chunk'] | undefined {
  try {
    return chunkOf(event)
  } catch {
    // As above.
    return undefined
  }
}

function belongsTo(run: Run | undefined, { jobId, taskId }: NormalisedEvent): boolean {
  return run === undefined || (run.event.jobId === jobId && run.event.taskId === taskId)
}

async function guarded(
  take: () => Promise<EventReply>,
  { log }: EventBatchOptions,
): Promise<EventReply> {
  try {
    return await take()
  } catch (error) {
    return refusedItem(error, log)
  }
}
