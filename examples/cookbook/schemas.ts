import { Blueprint, defineTask } from '@avtomatika/core'
import { z } from 'zod'

/** A contract that the worker imports too: params and result are checked, and typed, on both sides. */
export const translate = defineTask('translate', {
  params: z.object({ text: z.string(), to: z.string() }),
  result: z.object({ text: z.string() }),
})

/** What comes in, what comes out, and what events carry is checked at the door. */
export const translation = new Blueprint('translation', {
  input: z.object({ text: z.string().min(1), to: z.enum(['de', 'fr']) }),
  output: z.object({ text: z.string(), reviewer: z.string() }),
})
  .event('reviewed', z.object({ reviewer: z.string(), text: z.string() }))
  .state('start', { start: true }, ({ initialData, actions }) => {
    const params = { text: initialData.text, to: initialData.to }
    actions.dispatchTask({ type: translate, params, transitions: { success: 'review' } })
  })
  .state('review', ({ actions }) => {
    actions.waitForEvent({ name: 'reviewed', transitions: { received: 'done' } })
  })
  .state('done', { end: true }, ({ event }) => event?.data)
