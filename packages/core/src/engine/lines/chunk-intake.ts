/** Pieces of output on their way from the worker that holds a task to whoever reads its job. */
import {
  IGNORED_REASONS,
  LimitError,
  type IgnoredReason,
  type JsonValue,
} from '@avtomatika/protocol'
import { bytesOf } from '../../job/data.ts'
import { heldBy } from '../../job/on-task.ts'
import type { EpochMs } from '../../job/vocabulary.ts'
import type { Withdrawal } from '../../ports/hint.ts'
import type { EngineParts } from '../engine-parts.ts'

/** Largest piece, in bytes of JSON. */
export const MAX_CHUNK_BYTES = 64 * 1024
/** What is told at once stays well below what a store takes in one message. */
const MAX_TOLD_BYTES = 1024 * 1024
/** A worker that streams is not checked anew for each piece. */
const TRUSTED_MS = 1_000
const MAX_TRUSTED = 10_000

export interface IncomingChunks {
  readonly jobId: string
  /** `null` for the only task that the worker can mean. */
  readonly taskId: string | null
  readonly workerId: string
  readonly chunks: readonly { readonly seq: number | null; readonly chunk: JsonValue }[]
}

interface Trusted {
  readonly taskId: string
  readonly until: EpochMs
}

export class ChunkIntake {
  readonly #parts: Pick<EngineParts, 'storage' | 'clock' | 'ids'>
  readonly #trusted = new Map<string, Trusted>()

  constructor(parts: Pick<EngineParts, 'storage' | 'clock' | 'ids'>) {
    this.#parts = parts
  }

  /**
   * Tells the readers of a job; answers why they are not told, or `undefined` when they are.
   * @throws LimitError `DATA_TOO_LARGE` for a piece that is; then none is told.
   */
  async take(incoming: IncomingChunks): Promise<IgnoredReason | undefined> {
    const { jobId, workerId, chunks } = incoming
    for (const { chunk } of chunks) assertSize(chunk)
    const held = await this.#heldTask(incoming)
    if ('reason' in held) return held.reason
    const { storage, ids } = this.#parts
    const from = ids.jobId()
    const told = chunks.map(({ seq, chunk }, i) => ({ id: `${from}.${String(i)}`, seq, chunk }))
    for (const part of inParts(told)) {
      const { taskId } = held
      await storage.tell([{ kind: 'stream', jobId, taskId, workerId, chunks: part }])
    }
    return undefined
  }

  /** The worker is done with a task, or the task with it. */
  forget({ jobId, taskId, workerId }: Withdrawal): void {
    this.#trusted.delete(keyOf({ jobId, workerId, taskId }))
    this.#trusted.delete(keyOf({ jobId, workerId, taskId: null }))
  }

  async #heldTask(
    incoming: Omit<IncomingChunks, 'chunks'>,
  ): Promise<{ readonly taskId: string } | { readonly reason: IgnoredReason }> {
    const { storage, clock } = this.#parts
    const key = keyOf(incoming)
    const now = clock.now()
    const trusted = this.#trusted.get(key)
    if (trusted !== undefined && trusted.until > now) return trusted
    this.#trusted.delete(key)
    const job = await storage.findJob(incoming.jobId)
    if (job === undefined) return { reason: IGNORED_REASONS.jobNotFound }
    const run = heldBy(job, incoming)
    if (run === null) return { reason: IGNORED_REASONS.staleTask }
    if (run.phase.workerId !== incoming.workerId) return { reason: IGNORED_REASONS.workerMismatch }
    const [oldest] = this.#trusted.keys()
    if (this.#trusted.size >= MAX_TRUSTED && oldest !== undefined) this.#trusted.delete(oldest)
    this.#trusted.set(key, { taskId: run.taskId, until: now + TRUSTED_MS })
    return { taskId: run.taskId }
  }
}

function keyOf({ jobId, taskId, workerId }: Omit<IncomingChunks, 'chunks'>): string {
  return JSON.stringify([jobId, taskId, workerId])
}

function assertSize(chunk: JsonValue): void {
  const bytes = bytesOf(chunk)
  if (bytes <= MAX_CHUNK_BYTES) return
  const message = `A piece of output has ${String(bytes)} bytes; the limit is ${String(MAX_CHUNK_BYTES)}. Send several smaller ones.`
  throw new LimitError('DATA_TOO_LARGE', { message })
}

/** In order, cut where a part would grow too large. */
function inParts<T extends { readonly chunk: JsonValue }>(
  chunks: readonly T[],
): readonly (readonly T[])[] {
  const parts: T[][] = []
  let room = 0
  for (const chunk of chunks) {
    const bytes = bytesOf(chunk.chunk)
    if (bytes > room || parts.length === 0) {
      parts.push([])
      room = MAX_TOLD_BYTES
    }
    parts.at(-1)?.push(chunk)
    room -= bytes
  }
  return parts
}
