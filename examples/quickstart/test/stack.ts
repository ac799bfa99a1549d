/** The quickstart's programs on their sources, and requests as a user's curl sends them. */
import { fileURLToPath } from 'node:url'
import { Program } from '../demo/program.ts'

const CLIENT_TOKEN = 'test-client-token'
const WORKER_TOKEN = 'test-worker-token'
export const WORKER_ID = 'local-test-worker'

const ORCHESTRATOR = new URL('../../../apps/orchestrator/src/main.ts', import.meta.url)
const WORKER = new URL('../worker.ts', import.meta.url)
const BLUEPRINTS = new URL('../blueprints', import.meta.url)
const execArgv = ['--conditions=@avtomatika/source']
const DEADLINE_MS = 15_000

export function startOrchestrator(port = 0): Program {
  return new Program({
    name: 'orchestrator',
    file: fileURLToPath(ORCHESTRATOR),
    execArgv,
    env: {
      API_HOST: '127.0.0.1',
      API_PORT: String(port),
      CLIENT_TOKEN,
      GLOBAL_WORKER_TOKEN: WORKER_TOKEN,
      BLUEPRINTS_DIR: fileURLToPath(BLUEPRINTS),
      LOG_LEVEL: 'DEBUG',
      LOG_FORMAT: 'text',
    },
  })
}

export function startWorker(url: string, env: Readonly<Record<string, string>> = {}): Program {
  const settings = { ORCHESTRATOR_URL: url, WORKER_ID, WORKER_TOKEN, LOG_LEVEL: 'DEBUG', ...env }
  return new Program({ name: 'worker', file: fileURLToPath(WORKER), execArgv, env: settings })
}

/** Waits for a line of a program, and fails with all it wrote when the line does not come. */
export async function said(program: Program, pattern: RegExp): Promise<string> {
  try {
    return await program.said(pattern, AbortSignal.timeout(DEADLINE_MS))
  } catch (cause) {
    const message = `The ${program.name} did not say ${String(pattern)}:\n${program.output}`
    throw new Error(message, { cause })
  }
}

export function addressOf(orchestrator: Program): Promise<string> {
  return said(orchestrator, /running on (http:[^\s"]+)/)
}

export interface Reply {
  readonly status: number
  readonly body: unknown
}

export interface JobDocument extends Record<string, unknown> {
  readonly id: string
  readonly status: string
}

/** A client of one orchestrator, without any library. */
export class Http {
  readonly #url: string
  readonly #headers: Record<string, string>

  constructor(
    url: string,
    headers: Record<string, string> = { 'X-Avtomatika-Token': CLIENT_TOKEN },
  ) {
    this.#url = url
    this.#headers = headers
  }

  get(path: string): Promise<Reply> {
    return this.#send(path, {})
  }

  post(path: string, body: object): Promise<Reply> {
    return this.#send(path, { method: 'POST', body: JSON.stringify(body) })
  }

  async createJob(input: object): Promise<string> {
    const { body } = await this.post('/api/v1/jobs/test', input)
    return (body as { job_id: string }).job_id
  }

  /** Reads a job until it is as wanted; the server holds its answers until something changes. */
  async jobThat(jobId: string, isWanted: (job: JobDocument) => boolean): Promise<JobDocument> {
    const deadline = Date.now() + DEADLINE_MS
    let path = `/api/v1/jobs/${jobId}`
    for (;;) {
      const { body } = await this.get(path)
      const job = body as JobDocument
      if (isWanted(job)) return job
      if (Date.now() > deadline) throw new Error(`Still not as wanted: ${JSON.stringify(job)}`)
      path = `/api/v1/jobs/${jobId}?wait=5`
    }
  }

  endOf(jobId: string): Promise<JobDocument> {
    return this.jobThat(jobId, ({ status }) => TERMINAL.has(status))
  }

  async #send(path: string, init: RequestInit): Promise<Reply> {
    const headers = { 'content-type': 'application/json', ...this.#headers }
    const signal = AbortSignal.timeout(DEADLINE_MS)
    const response = await fetch(`${this.#url}${path}`, { ...init, headers, signal })
    return { status: response.status, body: await response.json() }
  }
}

const TERMINAL = new Set(['finished', 'failed', 'quarantined', 'cancelled'])
