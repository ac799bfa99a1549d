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

const fan = new Blueprint('fan', { endpoint: '/jobs/fan', version: 'v1' })
  .state('spread', { start: true }, ({ initialData, actions }) => {
    const tasks = Array.from({ length: Number(initialData['branches']) }, (_, n) => {
      return { type: 'echo', params: { n } }
    })
    actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
  })
  .aggregator('collect', ({ branches, actions }) => {
    actions.updateContext({ seen: branches.length })
    actions.goTo('done')
  })
  .state('done', { end: true }, ({ stateHistory }) => stateHistory['seen'])

const redisUrl = process.argv[2]
const storage =
  redisUrl === undefined
    ? undefined
    : await RedisStorage.open({ url: redisUrl, prefix: `bench-${String(process.pid)}` })

const engine = new OrchestratorEngine({
  logger: pino({ level: 'warn' }),
  ...(storage && { storage }),
  config: {
    port: 0,
    clients: [{ token: 'bench' }],
    workerTokens: { shared: 'bench' },
    pollTimeoutMs: 120_000,
  },
})
engine.register(echo).register(fan)
const address = await engine.start()
process.send?.(address)
process.on('message', (word) => {
  if (word === 'cpu') process.send?.(JSON.stringify(process.cpuUsage()))
  else void settledMemory().then((memory) => process.send?.(JSON.stringify(memory)))
})
process.on('disconnect', () => {
  void engine.stop().then(() => storage?.close())
})

/** What the process takes of the machine once it has tidied up; pages are given back over a while. */
async function settledMemory(): Promise<{ heap: number; resident: number }> {
  for (let round = 0; round < 6; round += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { heap: heapUsed + external, resident: rss }
}
