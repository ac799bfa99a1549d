import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'

/** What a test sees of a request. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What the script says to a request. */
export type Reply =
  | { readonly status?: number; readonly json: unknown; readonly headers?: Record<string, string> }
  | { readonly status?: number; readonly text: string; readonly headers?: Record<string, string> }
  /** An event stream, piece by piece, and what becomes of the connection then. */
  | { readonly pieces: readonly (string | Uint8Array)[]; readonly then: 'end' | 'cut' | 'hang' }
  /** Cut the connection / never answer. */
  | 'cut'
  | 'silence'

/** One reply, or what makes it. */
export type Line = Reply | ((request: SeenRequest) => Reply | Promise<Reply>)

/** An HTTP server on a free port that answers by a script, the last line for ever. */
export class ScriptedServer {
  readonly requests: SeenRequest[] = []
  readonly #script: readonly Line[]
  readonly #server: Server
  #onRequest: () => void = () => undefined

  private constructor(script: readonly Line[]) {
    this.#script = script
    this.#server = createServer((request, response) => {
      void this.#serve(request, response)
    })
  }

  static async open(...script: readonly Line[]): Promise<ScriptedServer> {
    const server = new ScriptedServer(script)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    return `http://127.0.0.1:${address.port}`
  }

  get paths(): readonly string[] {
    return this.requests.map(({ method, path }) => `${method} ${path}`)
  }

  /** Resolves as soon as this many requests have come in. */
  async untilRequests(count: number): Promise<void> {
    while (this.requests.length < count) {
      await new Promise<void>((resolve) => {
        this.#onRequest = resolve
      })
    }
  }

  /** Resolves when no connection is open any more. */
  async untilIdle(): Promise<void> {
    for (let open = 1; open > 0;) {
      await new Promise((resolve) => setImmediate(resolve))
      open = await new Promise<number>((resolve, reject) => {
        this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
      })
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
    }
    const line = this.#script[Math.min(this.requests.length, this.#script.length - 1)] ?? 'cut'
    this.requests.push(seen)
    this.#onRequest()
    const reply = typeof line === 'function' ? await line(seen) : line
    if (typeof reply === 'object' && 'pieces' in reply) await stream(response, reply)
    else send(response, reply)
  }
}

type Stream = Extract<Reply, { readonly pieces: unknown }>

async function stream(response: ServerResponse, { pieces, then }: Stream): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  response.flushHeaders()
  for (const piece of pieces) {
    // One after the other, so that they may arrive as they were cut.
    await new Promise((resolve) => response.write(piece, resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (then === 'end') response.end()
  if (then === 'cut') response.destroy()
}

function send(response: ServerResponse, reply: Exclude<Reply, Stream>): void {
  if (reply === 'silence') return
  if (reply === 'cut') {
    response.destroy()
    return
  }
  const isJson = 'json' in reply
  response.writeHead(reply.status ?? 200, {
    'content-type': isJson ? 'application/json' : 'text/plain',
    ...reply.headers,
  })
  response.end(isJson ? JSON.stringify(reply.json) : reply.text)
}
