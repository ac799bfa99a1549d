import type { AvtomatikaClient } from '@avtomatika/client'
import { Blueprint } from '@avtomatika/core'

export const payout = new Blueprint('payout', { endpoint: '/jobs/payouts', version: 'v1' })
  .state('start', { start: true }, ({ initialData: { account, amount }, actions }) => {
    const params = { account, amount }
    actions.dispatchTask({ type: 'pay_out', params, transitions: { success: 'done' } })
  })
  .state('done', { end: true })

/** Lets jobs go on whose account is known by now, with the right one; gives up the others. */
export async function workOff(
  client: AvtomatikaClient,
  accounts: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const report: string[] = []
  for (const { id, currentState, initialData, error } of await client.quarantined()) {
    const wrong = String(initialData?.['account'])
    const account = accounts.get(wrong)
    if (account === undefined) await client.discard(id)
    else await client.retry(id, { data: { account } })
    const deed = account === undefined ? 'given up' : 'goes on'
    report.push(`${wrong}, in '${String(currentState)}': ${String(error?.message)} -> ${deed}`)
  }
  return report
}
