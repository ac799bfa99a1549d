import { Blueprint } from '@avtomatika/core'

/** A task that fails for good leads to a state that makes amends, instead of to quarantine. */
export const booking = new Blueprint('booking')
  .state('start', { start: true }, ({ actions }) => {
    actions.dispatchTask({ type: 'book_flight', transitions: { success: 'hotel' } })
  })
  .state('hotel', ({ actions }) => {
    actions.dispatchTask({
      type: 'book_hotel',
      onFailure: 'transition',
      transitions: { success: 'done', failure: 'make_amends' },
    })
  })
  .state('make_amends', ({ stateHistory: { flight, error }, actions }) => {
    actions.dispatchTask({
      type: 'cancel_flight',
      params: { flight, reason: error },
      transitions: { success: 'nothing_booked' },
    })
  })
  .state('nothing_booked', { end: 'failed' })
  .state('done', { end: true })
