import { Blueprint } from '@avtomatika/core'

/** All or nothing: the first check that fails for good ends the job, and the rest is withdrawn. */
export const release = new Blueprint('release')
  .state('start', { start: true }, ({ initialData: { build }, actions }) => {
    const tasks = ['lint', 'unit', 'e2e'].map((suite) => ({ type: suite, params: { build } }))
    actions.dispatchParallel({ tasks, failFast: true, aggregateInto: 'ship' })
  })
  .aggregator('ship', ({ initialData: { build }, actions }) => {
    actions.dispatchTask({ type: 'publish', params: { build }, transitions: { success: 'done' } })
  })
  .state('done', { end: true })
