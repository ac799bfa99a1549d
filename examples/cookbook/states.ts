import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

const input = z.object({ amount: z.number(), customer: z.string().default('unknown') })

/** No worker is needed to decide where to go: these states are the engine's own work. */
export const triage = new Blueprint('triage', { input })
  .state('start', { start: true }, ({ initialData: { amount }, actions }) => {
    actions.goTo(amount > 1000 ? 'check' : 'accepted')
  })
  .state('check', async ({ initialData: { customer }, actions }) => {
    const isKnown = await isRegular(customer)
    actions.goTo(isKnown ? 'accepted' : 'rejected')
  })
  .state('accepted', { end: true })
  .state('rejected', { end: true })

async function isRegular(customer: string): Promise<boolean> {
  return Promise.resolve(customer.startsWith('regular-'))
}
