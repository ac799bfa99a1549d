/** A whole Avtomatika for one test: an engine on a free port, a worker and a client, over real HTTP. */
import { AvtomatikaClient } from '@avtomatika/client'
import {
  MemoryStorage,
  OrchestratorEngine,
  type AnyBlueprint,
  type Hooks,
  type OrchestratorConfig,
  type Storage,
} from '@avtomatika/core'
import { Worker, type TaskHandler } from '@avtomatika/worker-sdk'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'

/** What a worker does; its result may be anything. */
export type Task = TaskHandler<Record<string, unknown>, unknown>

export interface StackOptions {
  readonly blueprints: readonly AnyBlueprint[]
  /** What the worker can do. Default: there is no worker. */
  readonly tasks?: Readonly<Record<string, Task>>
  readonly hooks?: Hooks
  readonly config?: OrchestratorConfig
}

export interface Stack {
  readonly url: string
  readonly client: AvtomatikaClient
}

const TOKEN = 'cookbook-client'
const WORKER_TOKEN = 'cookbook-worker'

let openStorage: () => Promise<Storage> = () => Promise.resolve(new MemoryStorage())

/** For another storage's setup file: the same tests run on it. */
export function runStacksOn(open: () => Promise<Storage>): void {
  openStorage = open
}

/** Runs until the test is over. */
export async function startStack({
  blueprints,
  tasks,
  hooks,
  config,
}: StackOptions): Promise<Stack> {
  const storage = await openStorage()
  onTestFinished(() => storage.close())
  const engine = new OrchestratorEngine({
    storage,
    config: {
      port: 0,
      clients: [{ token: TOKEN }],
      workerTokens: { shared: WORKER_TOKEN },
      ...config,
    },
    logger: pino({ level: 'silent' }),
    ...(hooks && { hooks }),
  })
  for (const blueprint of blueprints) engine.register(blueprint)
  const url = await engine.start()
  onTestFinished(() => engine.stop())
  if (tasks !== undefined) await startWorker(url, tasks)
  const client = new AvtomatikaClient({ url, token: TOKEN })
  onTestFinished(() => client.close())
  return { url, client }
}

async function startWorker(
  orchestratorUrl: string,
  tasks: Readonly<Record<string, Task>>,
): Promise<void> {
  const logger = pino({ level: 'silent' })
  const worker = new Worker({ orchestratorUrl, token: WORKER_TOKEN, logger })
  for (const [type, handler] of Object.entries(tasks)) worker.task(type, handler)
  await worker.start()
  onTestFinished(() => worker.stop())
}
