/** The orchestrator under test: memory storage, one blueprint with one task. */
import { Blueprint, OrchestratorEngine } from '@avtomatika/core'
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

const engine = new OrchestratorEngine({
  logger: pino({ level: 'warn' }),
  config: { port: 0, clients: [{ token: 'bench' }], workerTokens: { shared: 'bench' } },
})
engine.register(echo)
const address = await engine.start()
process.send?.(address)
process.on('disconnect', () => void engine.stop())
