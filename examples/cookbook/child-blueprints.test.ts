import { BlueprintTest, type Script } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { order, payment } from './child-blueprints.ts'

function testWith(charge: Script): BlueprintTest {
  const test = new BlueprintTest(order, { children: [payment], workers: { charge } })
  onTestFinished(() => test.close())
  return test
}

it('goes on with what the child returned', async () => {
  const job = await testWith({ data: { receipt: 'R-1' } }).run({ initialData: { amount: 5 } })
  job.assertEnded({ status: 'finished', result: { receipt: 'R-1' } })
})

it('hears of a child that ended as failed', async () => {
  const job = await testWith({ status: 'declined' }).run({ initialData: { amount: 5 } })
  job.assertEnded({ status: 'failed', state: 'unpaid' })
  expect(job.result).toMatchObject({ status: 'failed', state: 'declined' })
})

it('hears of a child that was set aside, and why', async () => {
  const reply = { error: { code: 'PERMANENT_ERROR', message: 'card expired' } }
  const job = await testWith(reply).run({ initialData: { amount: 5 } })
  expect(job.result).toMatchObject({ status: 'quarantined' })
  expect(JSON.stringify(job.result)).toContain('card expired')
})

it('takes its child with it when it is cancelled', async () => {
  const job = await testWith('no_answer').start({ initialData: { amount: 5 } })
  const child = await job.child()
  await job.cancel()
  child.assertEnded({ status: 'cancelled' })
})
