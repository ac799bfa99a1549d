import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

/** Waits a day for a person; who decided, and what they said, reaches the next state. */
export const expenses = new Blueprint('expenses', { input: z.object({ amount: z.number() }) })
  .state('start', { start: true }, ({ initialData: { amount }, actions }) => {
    actions.awaitHumanApproval({
      integration: 'email',
      message: `May we pay ${amount}?`,
      transitions: { approved: 'pay', rejected: 'rejected' },
      timeout: 86_400,
      onTimeout: 'escalate',
    })
  })
  .state('escalate', ({ actions }) => {
    actions.awaitHumanApproval({
      integration: 'phone',
      message: 'Nobody has decided for a day.',
      transitions: { approved: 'pay', rejected: 'rejected' },
    })
  })
  .state('pay', ({ initialData: { amount }, approval, actions }) => {
    actions.dispatchTask({
      type: 'pay',
      params: { amount: approval?.data?.['limit'] ?? amount, approvedBy: approval?.actor ?? null },
      transitions: { success: 'done' },
    })
  })
  .state('rejected', { end: true }, ({ approval }) => ({ why: approval?.comment }))
  .state('done', { end: true })
