/** A Redis, orchestrators and workers as processes, for one test; gone when it has ended. */
import { AvtomatikaClient } from '@avtomatika/client'
import { onTestFinished } from 'vitest'
import type { Programs } from './build-programs.ts'
import { Ledger } from './ledger.ts'
import type { OrchestratorSettings } from './orchestrator-program.ts'
import { TOKENS } from './program.ts'
import { RawWorker } from './raw-worker.ts'
import { startRedis } from './redis-server.ts'
import { TestProcess } from './test-process.ts'
import type { WorkerSettings } from './worker-program.ts'

export interface Orchestrator {
  readonly url: string
  readonly process: TestProcess
  readonly client: AvtomatikaClient
}

export class Stage {
  readonly ledger: Ledger
  readonly #redisUrl: string
  readonly #programs: Programs

  private constructor(programs: Programs, redisUrl: string) {
    this.#programs = programs
    this.#redisUrl = redisUrl
    this.ledger = new Ledger(redisUrl)
  }

  static async open(programs: Programs): Promise<Stage> {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const stage = new Stage(programs, redis.url)
    onTestFinished(() => stage.ledger.close())
    return stage
  }

  /** Starts an orchestrator; resolves when it listens. */
  async orchestrator(settings: Omit<OrchestratorSettings, 'redisUrl'> = {}): Promise<Orchestrator> {
    const { orchestrator: program, compileCache } = this.#programs
    const complete: OrchestratorSettings = { redisUrl: this.#redisUrl, ...settings }
    const process = new TestProcess({ program, compileCache, settings: complete })
    onTestFinished(() => process.kill())
    const { url = '' } = await process.started
    const client = new AvtomatikaClient({ url, token: TOKENS.client })
    onTestFinished(() => client.close())
    return { url, process, client }
  }

  /** Starts a worker that does what it should. */
  async worker(
    settings: Partial<WorkerSettings> & { orchestratorUrl: string },
  ): Promise<TestProcess> {
    const { worker: program, compileCache } = this.#programs
    const complete: WorkerSettings = { workerId: 'honest', workMs: 0, ...settings }
    const process = new TestProcess({ program, compileCache, settings: complete })
    onTestFinished(() => process.kill())
    await process.started
    return process
  }

  /** Registers a worker that says what the test wants. */
  async rawWorker({ url }: Orchestrator, workerId: string): Promise<RawWorker> {
    const worker = new RawWorker(url, workerId)
    await worker.register()
    return worker
  }

  /** Resolves when these jobs have ended, and the ledger has all that there is to say of them. */
  async ended(jobIds: readonly string[]): Promise<void> {
    await this.ledger.until(() => jobIds.every((id) => this.ledger.endsOf(id).length > 0))
    await this.ledger.complete()
  }
}
