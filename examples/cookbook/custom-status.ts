import { Blueprint } from '@avtomatika/core'

/** A worker may say more than success or failure: its own words lead to states of their own. */
export const moderation = new Blueprint('moderation')
  .state('start', { start: true }, ({ initialData: { text }, actions }) => {
    actions.dispatchTask({
      type: 'classify',
      params: { text },
      transitions: { success: 'published', spam: 'rejected', unsure: 'ask', failure: 'ask' },
    })
  })
  .state('ask', { end: true }, ({ stateHistory: { score } }) => ({ forHumans: true, score }))
  .state('published', { end: true })
  .state('rejected', { end: true })
