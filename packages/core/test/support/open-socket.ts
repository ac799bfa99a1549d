/** A worker's end of its connection, and what it hears there. */
import { onTestFinished } from 'vitest'
import { WebSocket, type RawData } from 'ws'
import { WORKER_TOKEN } from './live-server.ts'

export class TestSocket {
  /** Resolves when the connection has ended: its code and reason. */
  readonly closed: Promise<readonly [code: number, reason: string]>
  readonly #socket: WebSocket
  readonly #heard: unknown[] = []
  readonly #waiting: ((frame: unknown) => void)[] = []

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve([code, reason.toString()]))
    })
    socket.on('message', (data: RawData) => {
      const frame: unknown = JSON.parse((data as Buffer).toString())
      const next = this.#waiting.shift()
      if (next === undefined) this.#heard.push(frame)
      else next(frame)
    })
  }

  /** @throws Error with the status of the answer, when the connection is refused. */
  static async open(
    url: string,
    path: string,
    headers: Readonly<Record<string, string>> = { 'x-worker-token': WORKER_TOKEN },
  ): Promise<TestSocket> {
    const socket = new WebSocket(url.replace('http', 'ws') + path, { headers })
    onTestFinished(() => socket.terminate())
    const opened = new TestSocket(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve())
      socket.once('error', reject)
    })
    return opened
  }

  say(frame: unknown): void {
    this.#socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  /** The next frame that comes. */
  next(): Promise<unknown> {
    if (this.#heard.length > 0) return Promise.resolve(this.#heard.shift())
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
