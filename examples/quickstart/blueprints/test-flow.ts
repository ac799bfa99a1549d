import { Blueprint } from '@avtomatika/core'

/** One task for a worker: completed when it succeeds, failed when it does not. */
export const testFlow = new Blueprint('test_flow', { endpoint: '/jobs/test', version: 'v1' })
  .state('start', { start: true }, ({ initialData, actions }) => {
    const { message = 'Hello from Orchestrator!', multiply = 2, fail = false } = initialData
    actions.dispatchTask({
      type: 'echo_task',
      params: { message, multiply, fail },
      transitions: { success: 'completed', failure: 'failed' },
    })
  })
  .state('completed', { end: true })
  .state('failed', { end: true })
