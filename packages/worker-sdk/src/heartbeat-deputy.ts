import { Worker as Thread } from 'node:worker_threads'

import { HEADERS, PATHS, PROTOCOL_VERSION } from '@avtomatika/protocol'

import { BeatMemory, GRACE_MS, type Beat } from './beat-memory.ts'
import { parseJson } from './environment.ts'
import type { DeputyOrder, DeputyReport } from './heartbeat-thread.ts'
import type { WorkerLogger } from './logger.ts'
import type { MessageSigner } from './message-signing.ts'
import { REQUEST_TIMEOUT_MS, type TransportTarget } from './transport.ts'

/** A beat that the deputy sent. */
export interface DeputyBeat {
  /** HTTP status, or `null` when there was no answer. */
  readonly status: number | null
  /** The parsed JSON; `undefined` when there was none. */
  readonly body: unknown
  /** In ms since 1970. */
  readonly sentAt: number
}

/** Beats in place of a worker that is too busy to. */
export interface HeartbeatDeputy {
  /** What to say, and when the worker means to say it itself. Replaces what was told before. */
  brief(beat: Beat): void
  /** Nothing is to be said until the next {@link brief}. */
  rest(): void
  close(): Promise<void>
}

/** Makes a deputy; what comes of its beats is told to `onBeat` as soon as the worker has time. */
export type OpenDeputy = (onBeat: (beat: DeputyBeat) => void) => HeartbeatDeputy

/** What {@link ThreadDeputy} needs. */
export interface ThreadDeputyOptions {
  readonly target: TransportTarget
  readonly intervalMs: number
  readonly logger: WorkerLogger
  /** The token in use; `undefined` = that of the target. */
  readonly token: () => string | undefined
  /** Left out, beats are not signed. */
  readonly signer?: MessageSigner | undefined
  readonly onBeat: (beat: DeputyBeat) => void
}

/** Sources run as they are; a built package has JavaScript beside this file. */
const THREAD_FILE = import.meta.url.endsWith('.ts') ? 'heartbeat-thread.ts' : 'heartbeat-thread.js'

/** Room for the text of a beat with some hundred tasks, in bytes; grows when it has to. */
const INITIAL_TEXT_BYTES = 16 * 1024

/**
 * A deputy in a thread: a handler that computes without a pause stops the worker's timers, not this one's.
 * It reads what to say from shared memory, so that a brief costs next to nothing: there is one per task.
 */
export class ThreadDeputy implements HeartbeatDeputy {
  readonly #options: ThreadDeputyOptions
  readonly #thread: Thread
  #memory = BeatMemory.ofSize(INITIAL_TEXT_BYTES)
  /** What the thread was told of the token and the seal. */
  #told: string | undefined

  constructor(options: ThreadDeputyOptions) {
    this.#options = options
    const { logger, onBeat } = options
    // Flags of the process may be about its main program.
    this.#thread = new Thread(new URL(`./${THREAD_FILE}`, import.meta.url), { execArgv: [] })
    this.#thread.unref()
    this.#thread.on('message', ({ status, text, sentAt }: DeputyReport) => {
      onBeat({ status, body: parseJson(text), sentAt })
    })
    this.#thread.on('error', (err: unknown) => {
      logger.error(
        { err },
        'the heartbeat thread broke: a handler that blocks now stops heartbeats',
      )
    })
    this.#tell({ kind: 'memory', buffer: this.#memory.buffer })
  }

  brief({ dueAt, body }: Beat): void {
    const { signer } = this.#options
    const beat = { dueAt, body: signer?.prepare(body) ?? body }
    this.#tellTarget()
    if (!this.#memory.fits(beat.body)) {
      this.#memory = BeatMemory.ofSize(2 * Buffer.byteLength(beat.body))
      this.#memory.write(beat)
      this.#tell({ kind: 'memory', buffer: this.#memory.buffer })
      return
    }
    this.#memory.write(beat)
    if (this.#memory.isAsleepAt(beat.dueAt + GRACE_MS)) this.#tell({ kind: 'look' })
  }

  rest(): void {
    this.#memory.write(undefined)
  }

  async close(): Promise<void> {
    await this.#thread.terminate()
  }

  #tellTarget(): void {
    const { target, intervalMs, signer } = this.#options
    const { url, workerId, tls = {} } = target
    const token = this.#options.token() ?? target.token
    const seal = signer?.seal
    const told = `${token} ${seal?.shiftMs ?? ''}`
    if (told === this.#told) return
    this.#told = told
    const headers = {
      accept: 'application/json',
      'content-type': 'application/json',
      [HEADERS.workerToken]: token,
      [HEADERS.workerId]: workerId,
      [HEADERS.protocolVersion]: PROTOCOL_VERSION,
    }
    const timeoutMs = REQUEST_TIMEOUT_MS
    const path = PATHS.heartbeat(workerId)
    const to = { url: `${url}${path}`, headers, intervalMs, timeoutMs, seal, tls }
    this.#tell({ kind: 'target', target: to })
  }

  #tell(order: DeputyOrder): void {
    this.#thread.postMessage(order)
  }
}
