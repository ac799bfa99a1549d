import { Blueprint } from '@avtomatika/core'

/** Needs nobody but the orchestrator. */
export const quick = new Blueprint('quick', { endpoint: '/jobs/quick', version: 'v1' })
  .state('start', { start: true }, ({ actions }) => {
    actions.goTo('done')
  })
  .state('done', { end: true })
