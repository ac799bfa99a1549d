import { Blueprint } from '@avtomatika/core'

/** Every job of this blueprint ends within an hour of its creation, wherever it is by then. */
export const checkout = new Blueprint('checkout', { timeout: 3600 })
  .state('start', { start: true }, ({ actions }) => {
    actions.dispatchTask({ type: 'reserve', transitions: { success: 'ask' } })
  })
  .state('ask', ({ actions }) => {
    actions.awaitHumanApproval({
      integration: 'web',
      message: 'Buy it?',
      transitions: { yes: 'done', no: 'done' },
    })
  })
  .state('done', { end: true })
