import { Blueprint } from '@avtomatika/core'

/** Keeps data of its own from state to state, beside what workers return. */
export const match = new Blueprint('match')
  .state('start', { start: true }, ({ actions }) => {
    actions.updateContext({ round: 1, total: 0 })
    actions.dispatchTask({ type: 'play', transitions: { success: 'count' } })
  })
  .state('count', ({ stateHistory: { round, total, points }, actions }) => {
    actions.updateContext({ round: Number(round) + 1, total: Number(total) + Number(points) })
    if (Number(round) === 3) actions.goTo('done')
    else actions.dispatchTask({ type: 'play', transitions: { success: 'count' } })
  })
  .state('done', { end: true }, ({ stateHistory: { total } }) => ({ total }))
