// The server's end of a WebSocket, by hand: what hostile servers do, no library would.
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TEXT = 1
const CLOSE = 8
const PING = 9
const PONG = 10

export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

/** One connection that was accepted. */
export class FakeSocket {
  readonly frames: Frame[] = []
  readonly request: IncomingMessage
  /** Whether pings are answered. */
  isPolite = true
  isClosed = false
  readonly #stream: Duplex
  readonly #onChange: () => void
  #unread = Buffer.alloc(0)

  constructor(request: IncomingMessage, stream: Duplex, onChange: () => void) {
    this.request = request
    this.#stream = stream
    this.#onChange = onChange
    const key = String(request.headers['sec-websocket-key'])
    const accept = createHash('sha1')
      .update(key + GUID)
      .digest('base64')
    stream.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    stream.on('data', (bytes: Buffer) => {
      this.#read(bytes)
    })
    stream.on('error', () => undefined)
    for (const end of ['end', 'close']) {
      stream.on(end, () => {
        this.isClosed = true
        onChange()
      })
    }
  }

  /** The texts that came. */
  get texts(): string[] {
    return this.frames
      .filter(({ opcode }) => opcode === TEXT)
      .map(({ payload }) => payload.toString())
  }

  /** How many pings, pongs or close frames came. */
  count(kind: 'ping' | 'pong' | 'close'): number {
    const opcode = { ping: PING, pong: PONG, close: CLOSE }[kind]
    return this.frames.filter((frame) => frame.opcode === opcode).length
  }

  send(message: unknown): void {
    this.write(
      frameOf(TEXT, Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))),
    )
  }

  ping(): void {
    this.write(frameOf(PING, Buffer.alloc(0)))
  }

  close(code: number, reason: string): void {
    const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)])
    this.#stream.end(frameOf(CLOSE, payload))
  }

  /** Whatever bytes. */
  write(bytes: Buffer): void {
    this.#stream.write(bytes)
  }

  /** Ends it without a word. */
  cut(): void {
    this.#stream.destroy()
  }

  #read(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes])
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
      this.frames.push(frame)
      if (frame.opcode === PING && this.isPolite) this.write(frameOf(PONG, frame.payload))
      if (frame.opcode === CLOSE && this.isPolite) this.#stream.end(frameOf(CLOSE, frame.payload))
    }
    this.#onChange()
  }

  /** Frames of a client are masked. */
  #next(): Frame | undefined {
    const bytes = this.#unread
    if (bytes.length < 2) return undefined
    const short = (bytes[1] ?? 0) & 0x7f
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
    const start = 2 + lengthBytes + 4
    if (bytes.length < start) return undefined
    const length =
      short === 126
        ? bytes.readUInt16BE(2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(2))
          : short
    if (bytes.length < start + length) return undefined
    const mask = bytes.subarray(start - 4, start)
    const payload = Buffer.from(bytes.subarray(start, start + length))
    payload.forEach((byte, i) => {
      payload[i] = byte ^ (mask[i % 4] ?? 0)
    })
    this.#unread = bytes.subarray(start + length)
    return { opcode: (bytes[0] ?? 0) & 0x0f, payload }
  }
}

/** A whole frame of a server. */
export function frameOf(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  header[0] = 0x80 | opcode
  header[1] = length < 126 ? length : length < 65_536 ? 126 : 127
  if (header.length === 4) header.writeUInt16BE(length, 2)
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, payload])
}
