import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

/** Pauses that survive restarts: for a length of time, and until a moment. */
export const trial = new Blueprint('trial', { input: z.object({ endsAt: z.iso.datetime() }) })
  .state('start', { start: true }, ({ actions }) => {
    actions.sleep({ seconds: 25 * 86_400, next: 'remind' })
  })
  .state('remind', ({ initialData: { endsAt }, actions }) => {
    actions.sendEvent({ name: 'trial_ends_soon' })
    actions.sleep({ until: new Date(endsAt), next: 'done' })
  })
  .state('done', { end: true })
