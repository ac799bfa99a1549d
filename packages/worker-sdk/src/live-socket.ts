// One WebSocket to an orchestrator, from the dial to the end.  S1 A dial that nobody answers ends.  S2 A peer
// that has been silent is pinged, and given up when nothing comes back: a half-open connection would look
// like one without commands.  S3 The end is told once, and leaves no socket behind.
import { HEADERS, PATHS, PROTOCOL_VERSION } from '@avtomatika/protocol'
import { buildConnector, Client, ping, WebSocket, type Dispatcher } from 'undici'

import type { Clock } from './clock.ts'
import type { TransportTarget } from './transport.ts'

/** How long the dial may take, in ms. */
export const DIAL_MS = 10_000

/** How long a peer may be silent before it is pinged, in ms. Ours pings every 30 s itself. */
export const SILENCE_MS = 40_000

/** How long the answer to a ping may take, in ms. */
export const PONG_MS = 15_000

/** How long the other side may take to say goodbye, in ms. */
const FAREWELL_MS = 1000

/** Largest frame that is read, in bytes. */
const MAX_FRAME_BYTES = 1024 * 1024

/** So much that was not sent yet means that nobody reads, in bytes. */
const MAX_BUFFERED_BYTES = 64 * 1024

/** How a connection ended. */
export interface SocketEnd {
  /** Whether it was ever open. */
  readonly wasOpen: boolean
  /** The code of the close frame, or 1006. */
  readonly code: number
  /** What is known of the reason. */
  readonly why: string
  /** HTTP status of the answer to the dial, if that was one. */
  readonly status: number | undefined
}

/** What a connection needs. */
export interface LiveSocketOptions {
  readonly target: TransportTarget
  /** The token in use; `undefined` = that of the target. */
  readonly token: string | undefined
  readonly clock: Clock
  readonly onOpen: () => void
  readonly onFrame: (text: string) => void
}

/** One connection; dials when it is made. */
export class LiveSocket {
  /** Resolves when it is over. */
  readonly ended: Promise<SocketEnd>
  readonly #options: LiveSocketOptions
  readonly #client: Client
  readonly #webSocket: WebSocket
  #socket: { readonly bytesRead: number; destroy(): unknown } | undefined
  #status: number | undefined
  #isOpen = false
  #wasOpen = false
  #cancelTimer: () => void
  #resolveEnd: (end: SocketEnd) => void = () => undefined

  constructor(options: LiveSocketOptions) {
    this.#options = options
    this.ended = new Promise((resolve) => {
      this.#resolveEnd = resolve
    })
    const { target, clock } = options
    const url = new URL(target.url)
    const path = url.pathname.replace(/\/+$/, '') + PATHS.socket(target.workerId)
    this.#client = this.#createClient(url)
    this.#webSocket = new WebSocket(
      `${url.protocol === 'https:' ? 'wss' : 'ws'}://${url.host}${path}`,
      {
        dispatcher: this.#client.compose((dispatch) => this.#noteStatus(dispatch)),
        headers: {
          [HEADERS.workerToken]: options.token ?? target.token,
          [HEADERS.workerId]: target.workerId,
          [HEADERS.protocolVersion]: PROTOCOL_VERSION,
        },
      },
    )
    this.#cancelTimer = clock.after(DIAL_MS, () => {
      this.terminate(`nobody answered the dial within ${DIAL_MS} ms`)
    })
    this.#listen()
  }

  /** Sends a frame if that makes sense now. It is not known whether it arrives. */
  send(text: string): boolean {
    if (!this.#isOpen || this.#webSocket.bufferedAmount > MAX_BUFFERED_BYTES) return false
    this.#webSocket.send(text)
    return true
  }

  /** Says goodbye; ends without an answer, too. */
  close(): void {
    if (!this.#wasOpen) {
      this.terminate('closed by this worker')
      return
    }
    this.#isOpen = false
    this.#cancelTimer()
    this.#cancelTimer = this.#options.clock.after(FAREWELL_MS, () => {
      this.terminate('closed by this worker')
    })
    this.#webSocket.close(1000, 'Worker shutdown')
  }

  /** Ends it without a word. */
  terminate(why: string): void {
    this.#end({ code: 1006, why })
  }

  #createClient(url: URL): Client {
    const connect = buildConnector({ ...this.#options.target.tls, allowH2: false })
    return new Client(url.origin, {
      // Each wait has a limit of its own.
      headersTimeout: 0,
      bodyTimeout: 0,
      webSocket: { maxPayloadSize: MAX_FRAME_BYTES },
      connect: (to, callback) => {
        connect(to, (...made) => {
          const [, socket] = made
          this.#socket = socket ?? undefined
          callback(...made)
        })
      },
    })
  }

  /** A WebSocket does not tell why it was refused. */
  #noteStatus(dispatch: Dispatcher['dispatch']): Dispatcher['dispatch'] {
    const note = (status: number): void => {
      this.#status = status
    }
    return (options, handler) => dispatch(options, noting(handler, note))
  }

  #listen(): void {
    const { onOpen, onFrame } = this.#options
    this.#webSocket.binaryType = 'arraybuffer'
    this.#webSocket.addEventListener('open', () => {
      this.#isOpen = true
      this.#wasOpen = true
      this.#watchSilence()
      onOpen()
    })
    this.#webSocket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
      if (this.#isOpen) onFrame(typeof data === 'string' ? data : '')
    })
    this.#webSocket.addEventListener('close', ({ code, reason }) => {
      this.#end({ code, why: reason })
    })
    // The end that follows tells all there is to tell.
    this.#webSocket.addEventListener('error', () => undefined)
  }

  /** Anything that comes is a sign of life, pings of the peer included. */
  #watchSilence(): void {
    const { clock } = this.#options
    const before = this.#socket?.bytesRead
    const isSilent = (): boolean => this.#socket?.bytesRead === before
    this.#cancelTimer()
    this.#cancelTimer = clock.after(SILENCE_MS, () => {
      if (!isSilent()) {
        this.#watchSilence()
        return
      }
      ping(this.#webSocket)
      this.#cancelTimer = clock.after(PONG_MS, () => {
        if (isSilent()) this.terminate('the other side is silent')
        else this.#watchSilence()
      })
    })
  }

  #end({ code, why }: Pick<SocketEnd, 'code' | 'why'>): void {
    const status = this.#status
    this.#isOpen = false
    this.#cancelTimer()
    this.#resolveEnd({ wasOpen: this.#wasOpen, code, why, status })
    // Both are needed while it is being opened, and do nothing afterwards.
    this.#webSocket.close()
    this.#socket?.destroy()
    this.#client.destroy(null, () => undefined)
  }
}

type Handler = Dispatcher.DispatchHandler

/** Notes the status of an answer that is no upgrade, and asks no more: a 401 would be asked again at once. */
function noting(handler: Handler, note: (status: number) => void): Handler {
  return {
    onRequestStart: (...args) => handler.onRequestStart?.(...args),
    onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
    onResponseStart: (controller, status) => {
      note(status)
      controller.abort(new Error(`HTTP ${status}`))
    },
    onResponseData: (...args) => handler.onResponseData?.(...args),
    onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
    onResponseError: (...args) => handler.onResponseError?.(...args),
  }
}
