import { Blueprint } from '@avtomatika/core'

/** Named branches with limits of their own, two at a time; those that are late are left out. */
export const quotes = new Blueprint('quotes')
  .state('start', { start: true }, ({ initialData: { parcel }, actions }) => {
    const params = { parcel }
    actions.dispatchParallel({
      tasks: {
        snail: { type: 'quote_snail', params, priority: 9 },
        courier: { type: 'quote_courier', params, retry: { attempts: 1 } },
        pigeon: { type: 'quote_pigeon', params, timeout: 5, retry: { attempts: 1 } },
      },
      concurrency: 2,
      aggregateInto: 'choose',
    })
  })
  .aggregator('choose', ({ branches, actions }) => {
    const offers = branches
      .filter(({ status }) => status === 'success')
      .map(({ name, data }) => ({ name, price: Number(data?.['price']) }))
    actions.updateContext({ best: offers.sort((a, b) => a.price - b.price)[0] ?? null })
    actions.goTo(offers.length > 0 ? 'done' : 'no_offers')
  })
  .state('done', { end: true }, ({ stateHistory: { best } }) => best)
  .state('no_offers', { end: 'failed' })
