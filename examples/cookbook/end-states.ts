import { Blueprint } from '@avtomatika/core'

/** How a job ends, and with what: by the name of its last state, or as that state says. */
export const exam = new Blueprint('exam')
  .state('start', { start: true }, ({ initialData: { paper }, actions }) => {
    actions.dispatchTask({
      type: 'grade',
      params: { paper },
      transitions: {
        success: 'passed',
        poor: 'rejected',
        absent: 'not_graded',
        withdrawn: 'cancelled',
      },
    })
  })
  // Finished. Without a handler the result is what the worker returned last.
  .state('passed', { end: true })
  // Failed: names that are, or end in, failed, error, rejected or cancelled say so themselves.
  .state('rejected', { end: true }, ({ stateHistory: { points } }) => ({
    missing: 50 - Number(points),
  }))
  // Failed, whatever the name.
  .state('not_graded', { end: 'failed' })
  // Finished, whatever the name.
  .state('cancelled', { end: 'finished' }, () => ({ note: 'withdrawn in time' }))
