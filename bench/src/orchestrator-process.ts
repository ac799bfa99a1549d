/** The orchestrator under test: one blueprint with one task; storage in memory, or at the URL given. */
import { Blueprint, OrchestratorEngine } from '@avtomatika/core'
import { RedisStorage } from '@avtomatika/storage-redis'
import { pino } from 'pino'

const echo = new Blueprint('echo', { endpoint: '/jobs/echo', version: 'v1' })
  .state('start', { start: true }, ({ initialData, actions }) => {
    actions.dispatchTask({
      type: 'echo',
      params: initialData,
      transitions: { success: 'completed' },
    })
  })
  .state('completed', { end: true })

const redisUrl = process.argv[2]
const storage =
  redisUrl === undefined
    ? undefined
    : await RedisStorage.open({ url: redisUrl, prefix: `bench-${String(process.pid)}` })

const engine = new OrchestratorEngine({
  logger: pino({ level: 'warn' }),
  ...(storage && { storage }),
  config: { port: 0, clients: [{ token: 'bench' }], workerTokens: { shared: 'bench' } },
})
engine.register(echo)
const address = await engine.start()
process.send?.(address)
process.on('disconnect', () => {
  void engine.stop().then(() => storage?.close())
})
