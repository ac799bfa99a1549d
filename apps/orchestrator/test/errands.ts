/** The program with a blueprint for errands, and its client. */
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { OrchestratorProcess } from './orchestrator-process.ts'
import { WorkerProcess } from './worker-process.ts'

export const WORKER_TOKEN = 'worker-secret-of-the-test'
const CLIENT_TOKEN = 'client-secret-of-the-test'
const HEADERS = { 'x-client-token': CLIENT_TOKEN, 'content-type': 'application/json' }

interface JobView {
  readonly status: string
  readonly result: unknown
  readonly progress: number | null
  readonly retry_count: number
}

export interface Errand {
  readonly type: string
  readonly ms?: number
}

/** One address, where the program is now and then. */
export class Errands {
  readonly url: string
  readonly #variables: Readonly<Record<string, string>>
  #process: OrchestratorProcess | undefined

  /** @param variables - besides those that every test needs. */
  constructor(port: number, variables: Readonly<Record<string, string>> = {}) {
    this.url = `http://127.0.0.1:${String(port)}`
    this.#variables = {
      CLIENT_TOKEN,
      GLOBAL_WORKER_TOKEN: WORKER_TOKEN,
      BLUEPRINTS_DIR: fileURLToPath(new URL('blueprints', import.meta.url)),
      API_HOST: '127.0.0.1',
      API_PORT: String(port),
      WORKER_HEALTH_CHECK_INTERVAL_SECONDS: '5',
      JOB_MAX_RETRIES: '100',
      ...variables,
    }
    onTestFinished(() => this.stop('SIGKILL'))
  }

  async start(): Promise<void> {
    this.#process = new OrchestratorProcess(this.#variables)
    await this.#process.started
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#process?.kill(signal)
    await this.#process?.ended
    this.#process = undefined
  }

  /** Starts a worker; it is killed when the test is over. */
  worker(program: string, settings: object): WorkerProcess {
    const worker = new WorkerProcess(program, { url: this.url, token: WORKER_TOKEN, ...settings })
    onTestFinished(async () => {
      worker.kill('SIGKILL')
      await worker.ended
    })
    return worker
  }

  /** Creates a job, once however often it is asked for; whoever is away comes back. */
  async create(errand: Errand, key: string = crypto.randomUUID()): Promise<string> {
    const headers = { 'idempotency-key': key }
    const init = {
      method: 'POST',
      body: JSON.stringify(errand),
      headers: { ...HEADERS, ...headers },
    }
    const { job_id: jobId } = (await this.#insist('/jobs/errand', init)) as { job_id: string }
    return jobId
  }

  async read(jobId: string, query = ''): Promise<JobView> {
    return (await this.#insist(`/jobs/${jobId}${query}`, {})) as JobView
  }

  /** The job when it has ended. */
  async ended(jobId: string): Promise<JobView> {
    for (;;) {
      const job = await this.read(jobId, '?wait=5')
      if (['finished', 'failed', 'cancelled', 'quarantined'].includes(job.status)) return job
    }
  }

  async cancel(jobId: string): Promise<void> {
    await this.#insist(`/jobs/${jobId}/cancel`, { method: 'POST', body: '{}' })
  }

  /** What the history has of a type, as far as this start of the program has it. */
  async countOf(jobId: string, type: string): Promise<number> {
    const rows = JSON.stringify(await this.#insist(`/jobs/${jobId}/history`, {}))
    return rows.split(`"event_type":"${type}"`).length - 1
  }

  async #insist(path: string, init: RequestInit): Promise<unknown> {
    for (;;) {
      try {
        const answer = await fetch(`${this.url}/api/v1${path}`, { headers: HEADERS, ...init })
        if (answer.ok) return await answer.json()
        const text = await answer.text()
        if (answer.status < 500) throw new Error(`${path}: ${String(answer.status)} ${text}`)
      } catch (error) {
        // `fetch` says so of whatever kept it from an answer.
        if (!(error instanceof TypeError)) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
