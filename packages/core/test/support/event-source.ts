/** Somebody who reads server-sent events, one at a time. */
import { onTestFinished } from 'vitest'
import { TOKENS, type Who } from './live-server.ts'

export interface ServerSentEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: Record<string, unknown>
}

export class EventSource {
  readonly response: Response
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ''

  private constructor(response: Response) {
    this.response = response
    if (response.body === null) throw new Error('The answer has no body.')
    this.#reader = response.body.getReader()
  }

  static async open(
    url: string,
    jobId: string,
    { as = 'owner', lastEventId }: { readonly as?: Who; readonly lastEventId?: string } = {},
  ): Promise<EventSource> {
    const leave = new AbortController()
    onTestFinished(() => leave.abort())
    const response = await fetch(`${url}/api/jobs/${jobId}/events`, {
      headers: {
        'x-client-token': TOKENS[as],
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      },
      signal: leave.signal,
    })
    if (response.status !== 200) throw new Error(await response.text())
    return new EventSource(response)
  }

  /** The next event; `undefined` at the end. */
  async next(): Promise<ServerSentEvent | undefined> {
    for (;;) {
      const block = await this.#block()
      if (block === undefined) return undefined
      const fields = new Map(block.split('\n').map((line) => pair(line)))
      const data = fields.get('data')
      if (data === undefined) continue
      return {
        event: fields.get('event') ?? 'message',
        id: fields.get('id'),
        data: JSON.parse(data) as Record<string, unknown>,
      }
    }
  }

  /** Everything that is still to come. */
  async rest(): Promise<readonly ServerSentEvent[]> {
    const events: ServerSentEvent[] = []
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      events.push(event)
    }
    return events
  }

  /** The next event of a name; those before it are let go. */
  async until(name: string): Promise<ServerSentEvent> {
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      if (event.event === name) return event
    }
    throw new Error(`The stream ended without ${name}.`)
  }

  async #block(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end !== -1) {
        const block = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 2)
        return block
      }
      const { value, done } = await this.#reader.read()
      if (done) return undefined
      this.#text += this.#decoder.decode(value, { stream: true })
    }
  }
}

function pair(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}
