import { Blueprint } from '@avtomatika/core'

/** Something to test: a task, a person, and a month to think about it. */
export const loan = new Blueprint('loan')
  .state('start', { start: true }, ({ initialData: { amount }, actions }) => {
    actions.dispatchTask({ type: 'score', params: { amount }, transitions: { success: 'decide' } })
  })
  .state('decide', ({ stateHistory: { score }, actions }) => {
    if (Number(score) < 300) {
      actions.goTo('rejected')
      return
    }
    actions.awaitHumanApproval({
      integration: 'desk',
      message: `Lend? Score: ${Number(score)}`,
      transitions: { approved: 'pay_out', rejected: 'rejected' },
      timeout: 30 * 86_400,
      onTimeout: 'rejected',
    })
  })
  .state('pay_out', ({ initialData: { amount }, actions }) => {
    actions.dispatchTask({ type: 'pay', params: { amount }, transitions: { success: 'done' } })
  })
  .state('done', { end: true })
  .state('rejected', { end: true })
