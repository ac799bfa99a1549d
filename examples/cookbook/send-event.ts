import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

/** A job that waits for another one's word. */
export const kitchen = new Blueprint('kitchen')
  .state('start', { start: true }, ({ actions }) => {
    actions.waitForEvent({ name: 'order_placed', transitions: { received: 'cook' } })
  })
  .state('cook', ({ event, actions }) => {
    actions.dispatchTask({
      type: 'cook',
      params: event?.data ?? {},
      transitions: { success: 'done' },
    })
  })
  .state('done', { end: true })

/** Sends it, and goes on: an event is not the one action of a handler. */
export const waiter = new Blueprint('waiter', {
  input: z.object({ dish: z.string(), kitchenJob: z.string() }),
})
  .state('start', { start: true }, ({ initialData: { dish, kitchenJob }, actions }) => {
    actions.sendEvent({ name: 'order_placed', data: { dish }, jobId: kitchenJob })
    actions.goTo('done')
  })
  .state('done', { end: true })
