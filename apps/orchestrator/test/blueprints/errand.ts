import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

const input = z.object({ type: z.string(), ms: z.number().default(0) })

/** One task for a worker; the result says who did it. */
export const errand = new Blueprint('errand', { endpoint: '/jobs/errand', version: 'v1', input })
  .state('start', { start: true }, ({ initialData: { type, ms }, actions }) => {
    actions.dispatchTask({
      type,
      params: { ms },
      dispatchStrategy: 'round_robin',
      transitions: { success: 'done' },
    })
  })
  .state('done', { end: true }, ({ stateHistory }) => stateHistory['by'])
