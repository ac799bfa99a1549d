import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'

import {
  eventBatchSchema,
  heartbeatSchema,
  pollQuerySchema,
  resultBatchSchema,
  taskAckSchema,
  taskResultSchema,
  workerEventSchema,
  workerRegistrationSchema,
  type TaskResult,
} from '@avtomatika/protocol'
import { z } from 'zod'

import { FakeSocket } from './fake-socket.ts'

export type Kind = 'register' | 'heartbeat' | 'poll' | 'result' | 'results' | 'ack' | 'event'

export interface Received {
  readonly kind: Kind
  readonly body: Record<string, unknown>
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

/** An answer of the script: `cut` breaks the connection, `cut body` in the middle of an answer, `hold` never answers. */
export type Scripted =
  | 'cut'
  | 'cut body'
  | 'hold'
  | {
      readonly status?: number
      readonly json?: unknown
      readonly text?: string
      readonly headers?: Record<string, string>
    }

/** What becomes of a request for a WebSocket. */
export type ScriptedUpgrade =
  /** Nothing at all. */
  | 'hold'
  | 'cut'
  /** An answer that is no upgrade, with this status. */
  | number
  /** Bytes instead of an answer. */
  | Buffer
  /** Accepted, and then this. */
  | ((socket: FakeSocket) => void)

const DEFAULTS: Record<Exclude<Kind, 'poll' | 'results'>, unknown> = {
  register: { status: 'registered', version: '1.0b14' },
  heartbeat: { status: 'ok' },
  result: { status: 'accepted', transition: 'next' },
  ack: { status: 'ok' },
  event: { status: 'event_accepted' },
}

const SCHEMAS = {
  register: workerRegistrationSchema,
  heartbeat: heartbeatSchema,
  result: taskResultSchema,
  results: resultBatchSchema,
  ack: taskAckSchema,
  event: z.union([workerEventSchema, eventBatchSchema]),
  poll: pollQuerySchema,
}

/** An orchestrator that answers by a script, over real HTTP. Notes every message that breaks the protocol. */
export class FakeOrchestrator {
  readonly received: Received[] = []
  readonly violations: string[] = []
  /** Connections that were accepted. */
  readonly sockets: FakeSocket[] = []
  /** Requests for a connection. */
  readonly dials: IncomingMessage[] = []
  /** What becomes of all further ones whose turn the script does not name. */
  upgrades: ScriptedUpgrade = () => undefined
  readonly #upgradeScript: ScriptedUpgrade[] = []
  readonly #streams = new Set<Duplex>()
  readonly #server: Server
  readonly #scripts = new Map<Kind, Scripted[]>()
  readonly #tasks: unknown[] = []
  readonly #counted = new Map<string, TaskResult>()
  readonly #watchers = new Set<() => void>()
  #polls: { readonly response: ServerResponse; readonly max: number; readonly batch: boolean }[] =
    []

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void this.#serve(request, response)
    })
    server.on('upgrade', (request: IncomingMessage, stream: Duplex) => {
      this.#upgrade(request, stream)
    })
  }

  static async open(port = 0): Promise<FakeOrchestrator> {
    const server = createServer()
    const fake = new FakeOrchestrator(server)
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return fake
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Polls that wait for a task now. */
  get openPolls(): number {
    return this.#polls.length
  }

  /** The next answers to messages of this kind; afterwards the good one. */
  script(kind: Kind, ...answers: Scripted[]): void {
    this.#scripts.set(kind, [...(this.#scripts.get(kind) ?? []), ...answers])
  }

  /** What becomes of the next requests for a connection. */
  scriptUpgrade(...upgrades: ScriptedUpgrade[]): void {
    this.#upgradeScript.push(...upgrades)
  }

  /** Resolves with the nth connection (from 1). */
  async socket(n: number): Promise<FakeSocket> {
    await this.when(() => this.sockets.length >= n)
    const socket = this.sockets[n - 1]
    if (socket === undefined) throw new Error(`no socket ${n}`)
    return socket
  }

  /** Forgets what is left of a script. */
  clearScript(kind: Kind): void {
    this.#scripts.delete(kind)
  }

  /** Hands tasks to polls, now or when one comes. */
  push(...tasks: unknown[]): void {
    this.#tasks.push(...tasks)
    this.#handOut()
  }

  of(kind: Kind): Received[] {
    return this.received.filter((message) => message.kind === kind)
  }

  /** What an idempotent server makes of the results: one per task and attempt. */
  get results(): TaskResult[] {
    return [...this.#counted.values()]
  }

  /** Resolves with the nth message (from 1) of a kind. */
  async nth(kind: Kind, n: number): Promise<Received> {
    await this.when(() => this.of(kind).length >= n)
    const message = this.of(kind)[n - 1]
    if (message === undefined) throw new Error(`no ${kind} ${n}`)
    return message
  }

  /** Resolves when something holds; looked at after each message and each poll. */
  async when(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        const watcher = (): void => {
          this.#watchers.delete(watcher)
          resolve()
        }
        this.#watchers.add(watcher)
      })
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    for (const stream of this.#streams) stream.destroy()
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve()
      })
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const url = new URL(request.url ?? '/', 'http://x')
    const kind = kindOf(request.method ?? '', url.pathname)
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
    const message = { kind, body, query: url.searchParams, headers: request.headers }
    const checked = kind === 'poll' ? Object.fromEntries(url.searchParams) : body
    const parsed = SCHEMAS[kind].safeParse(checked)
    if (!parsed.success) this.violations.push(`${kind}: ${parsed.error.message}`)
    const scripted = this.#scripts.get(kind)?.shift()
    const isActedOn = scripted === undefined || scripted === 'cut' || scripted === 'cut body'
    if (isActedOn && kind === 'result') this.#count(body)
    if (isActedOn && kind === 'results') for (const result of resultsIn(body)) this.#count(result)
    this.received.push(message)
    this.#answer(message, scripted, response)
    this.#notify()
  }

  #answer(message: Received, scripted: Scripted | undefined, response: ServerResponse): void {
    if (scripted === 'hold') return
    if (scripted === 'cut') {
      response.socket?.destroy()
      return
    }
    if (scripted === 'cut body') {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"status":', () => response.socket?.destroy())
      return
    }
    if (scripted !== undefined) {
      response.writeHead(scripted.status ?? 200, scripted.headers)
      response.end(
        scripted.text ?? (scripted.json === undefined ? '' : JSON.stringify(scripted.json)),
      )
      return
    }
    if (message.kind === 'results') {
      const results = resultsIn(message.body).map(() => DEFAULTS.result)
      response.end(JSON.stringify({ results }))
      return
    }
    if (message.kind !== 'poll') {
      response.end(JSON.stringify(DEFAULTS[message.kind]))
      return
    }
    const max = message.query.get('max')
    const poll = { response, max: Number(max ?? 1), batch: max !== null }
    this.#polls.push(poll)
    response.on('close', () => {
      this.#polls = this.#polls.filter((open) => open !== poll)
      this.#notify()
    })
    this.#handOut()
  }

  #upgrade(request: IncomingMessage, stream: Duplex): void {
    this.#streams.add(stream)
    stream.on('error', () => undefined)
    stream.on('close', () => this.#streams.delete(stream))
    const scripted = this.#upgradeScript.shift() ?? this.upgrades
    this.dials.push(request)
    if (scripted === 'cut') stream.destroy()
    else if (typeof scripted === 'number') {
      stream.end(`HTTP/1.1 ${scripted} No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`)
    } else if (Buffer.isBuffer(scripted)) stream.write(scripted)
    else if (typeof scripted === 'function') {
      const socket = new FakeSocket(request, stream, () => {
        this.#notify()
      })
      this.sockets.push(socket)
      scripted(socket)
    }
    this.#notify()
  }

  #handOut(): void {
    if (this.#tasks.length === 0) return
    const poll = this.#polls.shift()
    if (poll === undefined) return
    const tasks = this.#tasks.splice(0, poll.max)
    poll.response.end(JSON.stringify(poll.batch ? { tasks } : tasks[0]))
  }

  /** A cut connection is counted, too: the server had read the result when the line broke. */
  #count(body: Record<string, unknown>): void {
    const key = JSON.stringify([body['task_id'], body['attempt'] ?? null])
    if (!this.#counted.has(key)) this.#counted.set(key, taskResultSchema.parse(body))
  }

  #notify(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }
}

function kindOf(method: string, path: string): Kind {
  if (method === 'GET') return 'poll'
  if (method === 'PATCH') return 'heartbeat'
  if (path.endsWith('/register')) return 'register'
  if (path.endsWith('/result')) return 'result'
  if (path.endsWith('/results')) return 'results'
  return path.endsWith('/ack') ? 'ack' : 'event'
}

function resultsIn(body: Record<string, unknown>): Record<string, unknown>[] {
  return resultBatchSchema.parse(body).results
}
