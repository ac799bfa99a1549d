// Keeps a connection to one orchestrator open. It is a convenience: whatever it brings comes by heartbeats
// and polls as well, so that one that cannot be had is told once and then tried again, ever more rarely.
import { backoffMs, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import { LiveSocket, type SocketEnd } from './live-socket.ts'
import type { WorkerLogger } from './logger.ts'
import type { Registration } from './registration.ts'
import type { TransportTarget } from './transport.ts'
import { sleep } from './wake.ts'

/** A connection that lasted so long was a success, in ms: one that is closed at once is not. */
export const STEADY_MS = 30_000

/** Added to each wait, in ms: nobody is dialled more often than this. */
export const LEAST_WAIT_MS = 1000

const BACKOFF = { initialMs: 1000, maxMs: 59_000 }

/**
 * Close code of an orchestrator when another connection of this worker took this one's place. There is one
 * for all orchestrators that share their storage.
 */
const REPLACED = 1008

/** Waits as after so many failures, so that two workers with one id do not chase each other. */
const REPLACED_FAILURES = 6

/** Frames that nobody understands before the connection is given up. */
const MAX_BAD_FRAMES = 100

/** What {@link LiveLine} needs. */
export interface LiveLineOptions {
  readonly target: TransportTarget
  /** The token in use; `undefined` = that of the target. */
  readonly token: () => string | undefined
  readonly clock: Clock
  readonly random: Random
  readonly logger: WorkerLogger
  readonly registration: Registration
  /** A message as it is to be sent now. */
  readonly sign: (text: string) => string
  /** Takes what comes; answers whether it was understood. */
  readonly onFrame: (text: string) => boolean
}

/** A connection that is opened again when it ends. */
export class LiveLine {
  readonly #options: LiveLineOptions
  #socket: LiveSocket | undefined
  #failures = 0
  /** Whether this row of failures is in the log. */
  #isTold = false

  constructor(options: LiveLineOptions) {
    this.#options = options
  }

  /** Sends a frame over the open connection, if there is one. It is not known whether it arrives. */
  send(text: string): boolean {
    return this.#socket?.send(this.#options.sign(text)) ?? false
  }

  /** Keeps the connection open until the abort, then closes it. */
  async run(signal: AbortSignal): Promise<void> {
    const { registration, clock, random } = this.#options
    for (;;) {
      await registration.whenRegistered(signal)
      if (signal.aborted) return
      const dialledAt = clock.now()
      const end = await this.#connect(signal)
      if (signal.aborted) return
      this.#digest(end, clock.now() - dialledAt)
      await sleep(clock, LEAST_WAIT_MS + backoffMs(BACKOFF, this.#failures, random), signal)
    }
  }

  async #connect(signal: AbortSignal): Promise<SocketEnd> {
    const { target, token, clock, logger, onFrame } = this.#options
    let badFrames = 0
    const socket = new LiveSocket({
      target,
      token: token(),
      clock,
      onOpen: () => {
        this.#socket = socket
        logger.info({}, 'the connection for commands is open')
      },
      onFrame: (text) => {
        if (onFrame(text)) return
        badFrames += 1
        if (badFrames >= MAX_BAD_FRAMES) socket.terminate('what it sends is not understood')
      },
    })
    const close = (): void => {
      this.#socket = undefined
      socket.close()
    }
    signal.addEventListener('abort', close)
    const end = await socket.ended
    signal.removeEventListener('abort', close)
    this.#socket = undefined
    return end
  }

  /** The first failure of a row is worth a warning; the end of a connection that was good is none. */
  #digest({ wasOpen, code, why, status }: SocketEnd, lastedMs: number): void {
    const { logger } = this.#options
    const isReplaced = code === REPLACED
    const isSteady = wasOpen && lastedMs >= STEADY_MS && !isReplaced
    this.#failures = isSteady ? 1 : this.#failures + 1
    if (isReplaced) this.#failures = Math.max(this.#failures, REPLACED_FAILURES)
    const level = isSteady ? 'info' : this.#isTold ? 'debug' : 'warn'
    this.#isTold = !isSteady
    const fields = { code, ...(why !== '' && { why }), ...(status !== undefined && { status }) }
    const what = isReplaced
      ? 'was closed for another one: of a process with the same worker id, or to an orchestrator beside this one'
      : wasOpen
        ? 'ended'
        : 'could not be opened'
    const message = `the connection for commands ${what}; the worker goes on without and tries again`
    logger[level](fields, message)
  }
}
