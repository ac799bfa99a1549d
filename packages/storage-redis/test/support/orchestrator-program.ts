/** An orchestrator as a process of its own: the real engine and storage, with a history that survives it. */
import { MemoryStorage, OrchestratorEngine, type OrchestratorConfig } from '@avtomatika/core'
import { RedisStorage } from '../../src/index.ts'
import * as chaos from '../blueprints/chaos.ts'
import * as fleet from '../blueprints/fleet.ts'
import * as hostile from '../blueprints/hostile.ts'
import { fastClock, type FastTime } from './fast-clock.ts'
import { begin, readSettings, TOKENS } from './program.ts'
import { StreamHistory } from './stream-history.ts'

export interface OrchestratorSettings {
  /** Of jobs, and of the history in any case. */
  readonly redisUrl: string
  /** Where jobs are. Default: in Redis. */
  readonly keeps?: 'memory' | 'redis'
  /** Default: any free one. */
  readonly port?: number
  /** Default: chance. */
  readonly instanceId?: string
  /** Default: the time of the Redis server. */
  readonly time?: FastTime
  /** Of the handler that may hold things up. */
  readonly manner?: hostile.Manner
  readonly config?: Omit<OrchestratorConfig, 'host' | 'port' | 'clients' | 'workerTokens'>
}

const {
  redisUrl,
  port = 0,
  instanceId,
  time,
  keeps,
  config,
} = readSettings() as OrchestratorSettings
const redis = keeps === 'memory' ? undefined : await RedisStorage.open({ url: redisUrl })
const history = new StreamHistory(redisUrl)
const clock = time === undefined ? redis?.clock : fastClock(time)
const engine = new OrchestratorEngine({
  storage: redis ?? new MemoryStorage(),
  history,
  ...(clock !== undefined && { clock }),
  ...(instanceId !== undefined && { instanceId }),
  config: {
    ...config,
    port,
    clients: [
      { id: 'tests', token: TOKENS.client },
      { id: 'admin', token: TOKENS.admin, admin: true },
    ],
    workerTokens: { shared: TOKENS.worker },
  },
})
for (const blueprint of Object.values({ ...chaos, ...fleet, ...hostile }))
  engine.register(blueprint)
process.once('SIGTERM', () => {
  void stop()
})
begin({ kind: 'started', url: await engine.start() })

async function stop(): Promise<void> {
  await engine.stop()
  await redis?.close()
  await history.close()
  process.exit()
}
