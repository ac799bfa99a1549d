import { PermanentError } from '@avtomatika/worker-sdk'
import { expect, it } from 'vitest'
import { payout, workOff } from './quarantine.ts'
import { startStack, type Task } from './support/stack.ts'

const payOut: Task = ({ params: { account, amount } }) => {
  if (!String(account).startsWith('DE')) throw new PermanentError(`no account ${String(account)}`)
  return { paid: amount }
}

it('lists what needs a person, lets one job go on with better data and gives one up', async () => {
  const { client } = await startStack({ blueprints: [payout], tasks: { pay_out: payOut } })
  const typo = await client.run('/jobs/payouts', { account: 'ED12', amount: 3 })
  const lost = await client.run('/jobs/payouts', { account: 'XX99', amount: 4 })
  expect([typo.status, lost.status]).toEqual(['quarantined', 'quarantined'])

  const report = await workOff(client, new Map([['ED12', 'DE12']]))
  expect(report.join('\n')).toMatch(
    /^XX99, in 'start': .*no account XX99 -> given up\nED12, .*goes on$/,
  )

  const repaired = await client.waitForJob(typo.id)
  expect(repaired).toMatchObject({ status: 'finished', result: { paid: 3 } })
  expect((await client.getJob(lost.id)).status).toBe('failed')
  expect(await client.quarantined()).toEqual([])
})

it('acts on many at once, and says of each what became of it', async () => {
  const { client } = await startStack({ blueprints: [payout], tasks: { pay_out: payOut } })
  const { id } = await client.run('/jobs/payouts', { account: 'XX1', amount: 1 })
  const outcomes = await client.discardMany([id, 'unknown'])
  expect(outcomes).toMatchObject([
    { jobId: id, status: 'discarded', error: null },
    { jobId: 'unknown', status: 'error', error: { code: 'JOB_NOT_FOUND' } },
  ])
})
