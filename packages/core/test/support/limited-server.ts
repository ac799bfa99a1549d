/** An orchestrator without a socket, under a clock whose time is set by hand. */
import { fastify, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import {
  Blueprint,
  OrchestratorEngine,
  systemClock,
  type Clock,
  type OrchestratorConfig,
  type Storage,
} from '../../src/index.ts'
import { openStorage } from './storage-under-test.ts'

/** The last hour but one of January 2026, UTC. */
export const JANUARY = Date.UTC(2026, 0, 31, 22)

export const CLIENTS = {
  owner: 'client-secret-1',
  other: 'client-secret-2',
} as const
const WORKER_TOKEN = 'worker-secret'

export interface Said {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Record<string, unknown>
}

interface Call {
  readonly as?: keyof typeof CLIENTS | 'worker'
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

export interface LimitedOptions {
  readonly config?: OrchestratorConfig
  readonly storage?: Storage
  readonly clock?: { now: number }
}

export class LimitedServer {
  readonly storage: Storage
  /** The time that it tells; timers run by the real one. */
  readonly clock: { now: number }
  readonly #lines: string[] = []
  readonly #app: FastifyInstance

  constructor({ config = {}, storage, clock }: LimitedOptions = {}) {
    this.storage = storage ?? openStorage()
    this.clock = clock ?? { now: JANUARY }
    const time: Clock = { now: () => this.clock.now, after: systemClock.after }
    const logger = pino({}, { write: (line: string) => void this.#lines.push(line) })
    const engine = new OrchestratorEngine({
      storage: this.storage,
      clock: time,
      logger,
      config: {
        clients: [
          { token: CLIENTS.owner, id: 'owner' },
          { token: CLIENTS.other, id: 'other' },
        ],
        workerTokens: { shared: WORKER_TOKEN },
        ...config,
      },
    })
    engine.register(
      new Blueprint('empty', { endpoint: '/jobs/empty' }).state('start', {
        start: true,
        end: true,
      }),
    )
    engine.register(
      new Blueprint('work')
        .state('start', { start: true }, ({ actions }) => {
          actions.dispatchTask({ type: 'work', params: {}, transitions: { success: 'done' } })
        })
        .state('done', { end: true }),
    )
    const loggerInstance: FastifyBaseLogger = logger
    this.#app = fastify({ loggerInstance })
    this.#app.register(engine.plugin)
    onTestFinished(() => this.#app.close())
  }

  get log(): string {
    return this.#lines.join('')
  }

  async call(method: 'GET' | 'POST' | 'PATCH', path: string, call: Call = {}): Promise<Said> {
    const { as = 'owner', body, headers = {} } = call
    const token =
      as === 'worker' ? { 'x-worker-token': WORKER_TOKEN } : { 'x-client-token': CLIENTS[as] }
    const reply = await this.#app.inject({
      method,
      url: path,
      headers: { ...token, ...headers },
      ...(body !== undefined && { payload: body }),
    })
    const said: unknown = reply.payload === '' ? {} : JSON.parse(reply.payload)
    return {
      status: reply.statusCode,
      headers: reply.headers,
      body: said as Record<string, unknown>,
    }
  }

  create(call: Call = {}): Promise<Said> {
    return this.call('POST', '/api/jobs', { body: { blueprint: 'empty' }, ...call })
  }

  async register(workerId: string): Promise<void> {
    const body = { worker_id: workerId, supported_skills: ['work'], max_concurrent_tasks: 1_000 }
    const { status } = await this.call('POST', '/_worker/workers/register', { as: 'worker', body })
    if (status !== 200) throw new Error(`${workerId} was not registered: ${String(status)}`)
  }

  poll(workerId: string, seconds = 0): Promise<Said> {
    const path = `/_worker/workers/${workerId}/tasks/next?timeout=${String(seconds)}`
    return this.call('GET', path, { as: 'worker' })
  }

  beat(workerId: string): Promise<Said> {
    const body = { status: 'idle' }
    return this.call('PATCH', `/_worker/workers/${workerId}`, { as: 'worker', body })
  }

  report(workerId: string, task: Record<string, unknown>): Promise<Said> {
    const { job_id, task_id } = task
    const body = { job_id, task_id, worker_id: workerId, status: 'success', data: {} }
    return this.call('POST', '/_worker/tasks/result', { as: 'worker', body })
  }
}
