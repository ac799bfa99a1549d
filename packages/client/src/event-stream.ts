import { ConnectionError } from '@avtomatika/protocol'

/** One server-sent event. */
export interface ServerSentEvent {
  /** `message` when the server does not say. */
  readonly name: string
  /** Of the latest event that had an id; `undefined` before there was one. */
  readonly lastEventId: string | undefined
  readonly data: string
}

/** More of one event is not kept: a piece of output has 64 KiB at most. */
const MAX_EVENT_CHARS = 1024 * 1024

/**
 * Reads server-sent events out of bytes as they come, however they are cut. An event counts when it is
 * complete: what is lost with its connection was never there.
 */
export class EventStreamReader {
  readonly #decoder = new TextDecoder()
  /** The beginning of a line whose end has not come yet. */
  #line = ''
  /** A line break may come in two halves. */
  #endedWithReturn = false
  #name = ''
  #data: string[] = []
  #dataChars = 0
  #lastEventId: string | undefined

  /**
   * The events that these bytes complete.
   * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` for one that does not end.
   */
  push(bytes: Uint8Array): readonly ServerSentEvent[] {
    let text = this.#decoder.decode(bytes, { stream: true })
    if (text === '') return []
    if (this.#endedWithReturn && text.startsWith('\n')) text = text.slice(1)
    this.#endedWithReturn = text === '' || text.endsWith('\r')
    const [first = '', ...others] = text.split(/\r\n|\n|\r/)
    const lines = [this.#line + first, ...others]
    this.#line = lines.pop() ?? ''
    const events = lines.flatMap((line) => this.#take(line) ?? [])
    if (this.#line.length + this.#dataChars > MAX_EVENT_CHARS) throw tooLong()
    return events
  }

  #take(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#complete()
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    // What begins with a colon is there to keep the connection alive.
    if (field === 'event') this.#name = value
    if (field === 'id' && !value.includes('\0')) this.#lastEventId = value
    if (field === 'data') {
      this.#data.push(value)
      this.#dataChars += value.length + 1
      if (this.#dataChars > MAX_EVENT_CHARS) throw tooLong()
    }
    return undefined
  }

  #complete(): ServerSentEvent | undefined {
    const [name, data] = [this.#name || 'message', this.#data]
    this.#name = ''
    this.#data = []
    this.#dataChars = 0
    if (data.length === 0) return undefined
    return { name, lastEventId: this.#lastEventId, data: data.join('\n') }
  }
}

function tooLong(): ConnectionError {
  return new ConnectionError('UNEXPECTED_RESPONSE', {
    message: `The event stream has an event of more than ${MAX_EVENT_CHARS} characters. Is \`url\` an orchestrator?`,
  })
}
