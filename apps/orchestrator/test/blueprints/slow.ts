import { Blueprint } from '@avtomatika/core'
// The program brings zod for the blueprints of its users.
import { z } from 'zod'

const input = z.object({ message: z.string().optional() })

/** Its task is one that no worker of the tests offers, so that jobs stay where they are. */
export const slow = new Blueprint('slow', { endpoint: '/jobs/slow', version: 'v1', input })
  .state('start', { start: true }, ({ actions }) => {
    actions.dispatchTask({ type: 'nobody_does_this', transitions: { success: 'done' } })
  })
  .state('done', { end: true })
