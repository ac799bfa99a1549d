import { Blueprint } from '../../src/index.ts'

/** One task, `search`. */
export function search(): Blueprint {
  return new Blueprint('search')
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchTask({ type: 'search', transitions: { success: 'done', failure: 'failed' } })
    })
    .state('done', { end: true })
    .state('failed', { end: true })
}
