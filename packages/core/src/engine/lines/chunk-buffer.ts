/** The latest pieces of one job's output, for those who come late or come back. */
import type { JsonValue } from '@avtomatika/protocol'
import type { StreamHint } from '../../ports/hint.ts'

/** Bounds of one job. */
const MAX_CHUNKS = 256
const MAX_BYTES = 256 * 1024

export interface KeptChunk {
  readonly id: string
  readonly taskId: string
  readonly workerId: string
  readonly seq: number | null
  readonly chunk: JsonValue
  /** About that many, as JSON. */
  readonly bytes: number
}

export class ChunkBuffer {
  #chunks: KeptChunk[] = []
  #bytes = 0
  /** The newest count of each task, so that what is sent again is not shown again. */
  readonly #lastSeq = new Map<string, number>()

  get bytes(): number {
    return this.#bytes
  }

  /** Keeps what is new of a message, and answers it. */
  add({ taskId, workerId, chunks }: StreamHint): readonly KeptChunk[] {
    const fresh = chunks.filter(({ id, seq }) => {
      if (seq === null) return !this.#chunks.some((kept) => kept.id === id)
      const isFresh = seq > (this.#lastSeq.get(taskId) ?? -Infinity)
      if (isFresh) this.#lastSeq.set(taskId, seq)
      return isFresh
    })
    const added = fresh.map(({ id, seq, chunk }) => {
      return { id, taskId, workerId, seq, chunk, bytes: JSON.stringify(chunk).length }
    })
    for (const chunk of added) this.#keep(chunk)
    return added
  }

  /** Those after the one with this id, or `undefined` when that one is not known (any more). */
  after(id: string): readonly KeptChunk[] | undefined {
    const at = this.#chunks.findIndex((chunk) => chunk.id === id)
    return at === -1 ? undefined : this.#chunks.slice(at + 1)
  }

  all(): readonly KeptChunk[] {
    return [...this.#chunks]
  }

  #keep(chunk: KeptChunk): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.bytes
    let drop = 0
    while (this.#chunks.length - drop > MAX_CHUNKS || this.#bytes > MAX_BYTES) {
      this.#bytes -= this.#chunks[drop]?.bytes ?? this.#bytes
      drop += 1
    }
    if (drop > 0) this.#chunks = this.#chunks.slice(drop)
  }
}
