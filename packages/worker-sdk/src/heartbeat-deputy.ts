import { Worker as Thread } from 'node:worker_threads'

import { HEADERS, PATHS, PROTOCOL_VERSION } from '@avtomatika/protocol'

import { parseJson } from './environment.ts'
import type { DeputyOrder, DeputyReport } from './heartbeat-thread.ts'
import type { WorkerLogger } from './logger.ts'
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
  brief(beat: { readonly dueAt: number; readonly body: string }): void
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
  readonly onBeat: (beat: DeputyBeat) => void
}

/** Sources run as they are; a built package has JavaScript beside this file. */
const THREAD_FILE = import.meta.url.endsWith('.ts') ? 'heartbeat-thread.ts' : 'heartbeat-thread.js'

/** A deputy in a thread: a handler that computes without a pause stops the worker's timers, not this one's. */
export class ThreadDeputy implements HeartbeatDeputy {
  readonly #options: ThreadDeputyOptions
  readonly #thread: Thread

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
  }

  brief({ dueAt, body }: { readonly dueAt: number; readonly body: string }): void {
    const { target, intervalMs, token } = this.#options
    const { url, workerId, tls = {} } = target
    this.#tell({
      kind: 'beat',
      dueAt,
      url: `${url}${PATHS.heartbeat(workerId)}`,
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        [HEADERS.workerToken]: token() ?? target.token,
        [HEADERS.workerId]: workerId,
        [HEADERS.protocolVersion]: PROTOCOL_VERSION,
      },
      body,
      intervalMs,
      timeoutMs: REQUEST_TIMEOUT_MS,
      tls,
    })
  }

  rest(): void {
    this.#tell({ kind: 'rest' })
  }

  async close(): Promise<void> {
    await this.#thread.terminate()
  }

  #tell(order: DeputyOrder): void {
    this.#thread.postMessage(order)
  }
}
