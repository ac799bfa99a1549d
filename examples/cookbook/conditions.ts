import { Blueprint } from '@avtomatika/core'

/** The first condition that holds decides; the state's own handler is for everything else. */
export const support = new Blueprint('support')
  .state('start', { start: true }, ({ actions }) => actions.goTo('queue'))
  .when("context.initial_data.type == 'outage' and not initial_data.test", ({ actions }) => {
    actions.goTo('page_somebody')
  })
  .when("initial_data.plan in ['gold', 'platinum']", ({ actions }) => actions.goTo('fast_lane'))
  .when(
    ({ initialData: { text } }) => typeof text === 'string' && text.includes('invoice'),
    ({ actions }) => actions.goTo('accounting'),
  )
  .state('page_somebody', { end: true })
  .state('fast_lane', { end: true })
  .state('accounting', { end: true })
  .state('queue', { end: true })
