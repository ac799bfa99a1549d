import { Blueprint } from '@avtomatika/core'

/** A workflow that other workflows use. */
export const payment = new Blueprint('payment')
  .state('start', { start: true }, ({ initialData: { amount }, actions }) => {
    actions.dispatchTask({
      type: 'charge',
      params: { amount },
      transitions: { success: 'paid', declined: 'declined' },
    })
  })
  .state('paid', { end: true }, ({ stateHistory: { receipt } }) => ({ receipt }))
  .state('declined', { end: 'failed' })

/** Runs it as a child, and goes on with its result. */
export const order = new Blueprint('order')
  .state('start', { start: true }, ({ initialData: { amount }, actions }) => {
    actions.runBlueprint({
      name: 'payment',
      initialData: { amount },
      timeouts: { total: 3600 },
      transitions: { success: 'done', failure: 'unpaid' },
    })
  })
  .state('done', { end: true }, ({ child }) => child?.result)
  .state('unpaid', { end: 'failed' }, ({ child }) => ({
    status: child?.status,
    state: child?.finalState,
    why: child?.error?.message,
  }))
