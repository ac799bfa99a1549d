/** An orchestrator on a socket of its own, and clients and workers that speak HTTP with it. */
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { OrchestratorEngine, type AnyBlueprint, type OrchestratorConfig } from '../../src/index.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Storage } from '../../src/ports/storage.ts'
import { until } from './engine-world.ts'
import { openStorage } from './storage-under-test.ts'

export const TOKENS = {
  owner: 'client-secret-1',
  other: 'client-secret-2',
  admin: 'client-secret-3',
} as const
export const APPROVAL_SECRET = 'a-secret-for-approval-links'
export const WORKER_TOKEN = 'worker-secret'

export type Who = keyof typeof TOKENS

interface CallOptions {
  /** Default: the owner. */
  readonly as?: Who | 'nobody' | 'worker'
  readonly body?: string | object | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; an empty object for a body that is none. */
  readonly body: Record<string, unknown>
}

interface LiveTask {
  readonly job_id: string
  readonly task_id: string
  readonly type: string
  readonly params: Record<string, unknown>
}

export class LiveServer {
  readonly url: string
  readonly #lines: string[]
  readonly #engine: OrchestratorEngine

  private constructor(url: string, lines: string[], engine: OrchestratorEngine) {
    this.url = url
    this.#lines = lines
    this.#engine = engine
  }

  static async start(
    blueprints: readonly AnyBlueprint[],
    config: OrchestratorConfig = {},
    storage: Storage = openStorage(),
    clock?: Clock,
  ): Promise<LiveServer> {
    const lines: string[] = []
    const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) })
    const engine = new OrchestratorEngine({
      storage,
      logger,
      ...(clock && { clock }),
      config: {
        port: 0,
        clients: [
          { token: TOKENS.owner, id: 'owner' },
          { token: TOKENS.other, id: 'other' },
          { token: TOKENS.admin, id: 'admin', admin: true },
        ],
        workerTokens: { shared: WORKER_TOKEN },
        pollTimeoutMs: 2_000,
        backoff: { initialMs: 1, factor: 1, maxMs: 1, jitter: 0 },
        approvalSecret: APPROVAL_SECRET,
        ...config,
      },
    })
    for (const blueprint of blueprints) engine.register(blueprint)
    onTestFinished(() => engine.stop())
    return new LiveServer(await engine.start(), lines, engine)
  }

  /** Stops before the test is over. */
  stop(): Promise<void> {
    return this.#engine.stop()
  }

  log(): string {
    return this.#lines.join('')
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { as = 'owner', body, headers = {} } = options
    const reply = await fetch(this.url + path, {
      method,
      headers: { ...credentials(as), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await reply.text()
    const isJson = reply.headers.get('content-type')?.includes('json') === true
    const parsed = isJson ? (JSON.parse(text) as Record<string, unknown>) : {}
    return { status: reply.status, headers: reply.headers, text, body: parsed }
  }

  get(path: string, as: CallOptions['as'] = 'owner'): Promise<Answer> {
    return this.call('GET', path, { as })
  }

  post(path: string, body?: string | object, as: CallOptions['as'] = 'owner'): Promise<Answer> {
    return this.call('POST', path, { as, body })
  }

  async create(blueprint: string, fields: object = {}, as: Who = 'owner'): Promise<string> {
    const { status, body, text } = await this.post('/api/jobs', { blueprint, ...fields }, as)
    if (status !== 202) throw new Error(text)
    return String(body['job_id'])
  }

  async job(jobId: string, as: Who = 'owner'): Promise<Record<string, unknown>> {
    return (await this.get(`/api/jobs/${jobId}`, as)).body
  }

  /** The job as soon as it has a status. */
  async jobIn(status: string, jobId: string, as: Who = 'owner'): Promise<Record<string, unknown>> {
    let job: Record<string, unknown> = {}
    await until(async () => {
      job = await this.job(jobId, as)
      return job['status'] === status
    })
    return job
  }

  /** The types of a job's history rows, oldest first, with their snapshots. */
  async history(jobId: string): Promise<Record<string, unknown>[]> {
    return (await this.get(`/api/jobs/${jobId}/history`)).body as unknown as Record<
      string,
      unknown
    >[]
  }

  async register(workerId: string, ...skills: readonly string[]): Promise<void> {
    await this.enlist(workerId, { supported_skills: skills })
  }

  /** Registers a worker in its own words. */
  async enlist(workerId: string, words: object): Promise<Record<string, unknown>> {
    const body = { worker_id: workerId, max_concurrent_tasks: 10, ...words }
    const {
      status,
      text,
      body: said,
    } = await this.post('/_worker/workers/register', body, 'worker')
    if (status !== 200) throw new Error(text)
    return said
  }

  /** A task that there is now, or is in 2 s. */
  async take(workerId: string): Promise<LiveTask> {
    const { status, body, text } = await this.get(
      `/_worker/workers/${workerId}/tasks/next`,
      'worker',
    )
    if (status !== 200) throw new Error(`There is no task for ${workerId}: ${text}`)
    return body as unknown as LiveTask
  }

  report(workerId: string, { job_id, task_id }: LiveTask, said: object): Promise<Answer> {
    const body = { job_id, task_id, worker_id: workerId, ...said }
    return this.post('/_worker/tasks/result', body, 'worker')
  }

  tell(workerId: string, event: object): Promise<Answer> {
    return this.post('/_worker/events', { worker_id: workerId, ...event }, 'worker')
  }

  /** A worker that takes and answers tasks until the test is over. */
  async employ(
    workerId: string,
    skills: readonly string[],
    work: (task: LiveTask) => object,
  ): Promise<void> {
    await this.register(workerId, ...skills)
    const leave = new AbortController()
    const working = this.#work(workerId, work, leave.signal)
    onTestFinished(async () => {
      leave.abort()
      await working
    })
  }

  async #work(
    workerId: string,
    work: (task: LiveTask) => object,
    signal: AbortSignal,
  ): Promise<void> {
    const url = `${this.url}/_worker/workers/${workerId}/tasks/next?timeout=2`
    while (!signal.aborted) {
      const reply = await fetch(url, { headers: credentials('worker'), signal }).catch(
        (error: unknown) => {
          if (!signal.aborted) throw error
        },
      )
      if (reply?.status !== 200) continue
      const task = (await reply.json()) as LiveTask
      await this.report(workerId, task, work(task))
    }
  }
}

function credentials(as: Who | 'nobody' | 'worker'): Record<string, string> {
  if (as === 'nobody') return {}
  return as === 'worker' ? { 'x-worker-token': WORKER_TOKEN } : { 'x-client-token': TOKENS[as] }
}
