import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import type { ManualClock } from './manual-clock.ts'

/** What can go wrong with one exchange. The server may have acted on the request or not. */
export type Fault =
  | 'cut before'
  | 'cut after'
  | 'cut body'
  | 'hang'
  | 'garbage'
  | 'wrong json'
  | 'empty'
  | '500'
  | '503'
  | '429'
  | '404'

export const FAULTS: readonly Fault[] = [
  'cut before',
  'cut after',
  'cut body',
  'hang',
  'garbage',
  'wrong json',
  'empty',
  '500',
  '503',
  '429',
  '404',
]

/** A task that is taken and neither listed nor answered for this long is handed out again, in ms. */
const ACK_MS = 5000

interface Task {
  readonly taskId: string
  state: 'waiting' | 'taken' | 'done'
  seenAt: number
}

/** The texts of the results of one task, by attempt, and how often each came. */
export type Ledger = Map<string, Set<string>>

/**
 * A small orchestrator over real HTTP whose jobs survive its restarts and whose manners a test decides.
 * It hands a task out again, under the same attempt, when nobody acknowledges it.
 */
export class UnrulyOrchestrator {
  readonly ledger: Ledger = new Map()
  restarts = 0
  requests = 0
  readonly #clock: ManualClock
  readonly #tasks: Task[]
  readonly #fault: () => Fault | undefined
  /** What it agrees to at registration. */
  readonly #features: readonly string[]
  #workers = new Set<string>()
  #server: Server | undefined
  #port = 0

  constructor(
    clock: ManualClock,
    count: number,
    {
      fault,
      features,
    }: { readonly fault: () => Fault | undefined; readonly features: readonly string[] },
  ) {
    this.#clock = clock
    this.#fault = fault
    this.#features = features
    this.#tasks = Array.from({ length: count }, (_, n) => ({
      taskId: `t${n}`,
      state: 'waiting',
      seenAt: 0,
    }))
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get isDone(): boolean {
    return this.#tasks.every(({ state }) => state === 'done')
  }

  /** Opens the port; the same as before after a {@link down}. Workers are forgotten, tasks are not. */
  async up(): Promise<void> {
    const server = createServer((request, response) => {
      void this.#serve(request, response)
    })
    this.#server = server
    this.#workers = new Set()
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
  }

  async down(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    this.restarts += 1
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      // The restart cut the request.
      return
    }
    this.requests += 1
    const fault = this.#fault()
    if (fault === 'cut before') {
      request.socket.destroy()
      return
    }
    const isRefused = ['500', '503', '429', '404'].includes(fault ?? '')
    if (isRefused) {
      response.writeHead(Number(fault), fault === '503' ? { 'retry-after': '1' } : {}).end('{}')
      return
    }
    const answer = this.#act(request, Buffer.concat(chunks).toString())
    this.#answer(answer, fault, response)
  }

  #answer(answer: Answer, fault: Fault | undefined, response: ServerResponse): void {
    switch (fault) {
      case 'cut after':
        response.socket?.destroy()
        break
      case 'cut body':
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{"status":', () => response.socket?.destroy())
        break
      case 'hang':
        break
      case 'garbage':
        response.writeHead(200).end('\u0000<html>{{{')
        break
      case 'wrong json':
        response.writeHead(200).end('[{"tasks":7},[]]')
        break
      case 'empty':
        response.writeHead(200).end()
        break
      default:
        response.writeHead(answer.status).end(answer.json && JSON.stringify(answer.json))
    }
  }

  #act(request: IncomingMessage, text: string): Answer {
    const url = new URL(request.url ?? '/', 'http://x')
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
    const workerId = String(request.headers['x-worker-id'])
    if (url.pathname.endsWith('/register')) {
      this.#workers.add(workerId)
      return { status: 200, json: { status: 'registered', features: this.#features } }
    }
    if (url.pathname.endsWith('/result')) return this.#takeResult(body)
    if (url.pathname.endsWith('/results')) return this.#takeBatch(body)
    if (url.pathname.startsWith('/_worker/ws')) return { status: 404, json: { error: 'not found' } }
    if (!this.#workers.has(workerId)) return { status: 404, json: { error: 'not found' } }
    if (url.pathname.endsWith('/ack')) return this.#see(body['task_ids'])
    return request.method === 'PATCH' ? this.#see(body['current_tasks']) : this.#handOut(url)
  }

  /** The worker says that it has these. */
  #see(taskIds: unknown): Answer {
    const current = new Set(taskIds as string[])
    for (const task of this.#tasks) {
      if (current.has(task.taskId)) task.seenAt = this.#clock.now()
    }
    return { status: 200, json: { status: 'ok' } }
  }

  #handOut(url: URL): Answer {
    const now = this.#clock.now()
    const max = Number(url.searchParams.get('max') ?? 1)
    const free = this.#tasks
      .filter(
        ({ state, seenAt }) => state === 'waiting' || (state === 'taken' && seenAt + ACK_MS < now),
      )
      .slice(0, max)
    for (const task of free) Object.assign(task, { state: 'taken', seenAt: now })
    if (free.length === 0) return { status: 204 }
    const tasks = free.map(({ taskId }) => ({
      job_id: 'j1',
      task_id: taskId,
      type: 'echo',
      params: {},
      attempt: 1,
    }))
    return { status: 200, json: { tasks } }
  }

  /** Each may have a fault of its own. */
  #takeBatch(body: Record<string, unknown>): Answer {
    const results = (body['results'] as Record<string, unknown>[]).map((result) => {
      const message = 'not now'
      if (this.#fault() === '503')
        return { status: 'error', code: 'INTERNAL_ERROR', message, retry: true }
      return this.#takeResult(result).json
    })
    return { status: 200, json: { results } }
  }

  #takeResult(body: Record<string, unknown>): Answer {
    const taskId = String(body['task_id'])
    const texts = this.ledger.get(taskId) ?? new Set()
    this.ledger.set(taskId, texts.add(JSON.stringify(body)))
    const task = this.#tasks.find((known) => known.taskId === taskId)
    if (task === undefined) return { status: 404, json: { error: 'unknown task' } }
    if (task.state === 'done') {
      return { status: 200, json: { status: 'ignored', reason: 'job_already_terminated' } }
    }
    task.state = 'done'
    return { status: 200, json: { status: 'accepted', transition: 'next' } }
  }
}

interface Answer {
  readonly status: number
  readonly json?: unknown
}
