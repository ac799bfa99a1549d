import { Blueprint } from '@avtomatika/core'

/** Waits an hour for the payment of this very order; one that came early is not lost. */
export const shop = new Blueprint('shop')
  .state('start', { start: true }, ({ actions }) => {
    actions.dispatchTask({ type: 'reserve', transitions: { success: 'await_payment' } })
  })
  .state('await_payment', ({ initialData: { order }, actions }) => {
    actions.waitForEvent({
      name: 'paid',
      match: { order },
      timeout: 3600,
      transitions: { received: 'done', timeout: 'release' },
    })
  })
  .state('release', ({ actions }) => {
    actions.dispatchTask({ type: 'release', transitions: { success: 'expired' } })
  })
  .state('done', { end: true }, ({ event }) => ({ paid: event?.data['amount'] }))
  .state('expired', { end: 'failed' })
