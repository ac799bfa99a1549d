import { Blueprint } from '@avtomatika/core'

/** The first find is enough: the event moves the job on, and the worker is told to stop. */
export const search = new Blueprint('search')
  .state('start', { start: true }, ({ initialData: { word }, actions }) => {
    actions.dispatchTask({
      type: 'search_archive',
      params: { word },
      transitions: { success: 'nothing_found' },
      eventTransitions: { found: 'done' },
    })
  })
  .state('nothing_found', { end: true })
  .state('done', { end: true }, ({ stateHistory: { page } }) => ({ page }))
