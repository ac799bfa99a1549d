import { BlueprintTest, type Script } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { loan } from './testing.ts'

function testWith(workers: Record<string, Script>): BlueprintTest {
  const test = new BlueprintTest(loan, { workers })
  onTestFinished(() => test.close())
  return test
}

it('pays out when the desk approves', async () => {
  const test = testWith({ score: { data: { score: 700 } }, pay: {} })
  const job = await test.start({ initialData: { amount: 900 } })
  await job.decide('approved', { actor: 'ann' })
  job.assertEnded({ status: 'finished' }).assertVisited('start', 'decide', 'pay_out', 'done')
  expect(test.tasks.at(-1)).toMatchObject({ type: 'pay', params: { amount: 900 } })
})

it('rejects when nobody decides for thirty days, which take a millisecond', async () => {
  const job = await testWith({ score: { data: { score: 700 } } }).run()
  job.assertEnded({ status: 'failed', state: 'rejected' })
})

it('rides out an outage of the scoring service', async () => {
  const outage = { error: { code: 'TRANSIENT_ERROR', message: 'scoring is down' } }
  const test = testWith({ score: [outage, 'no_answer', { data: { score: 100 } }] })
  const job = await test.run()
  job.assertEnded({ state: 'rejected' })
  expect(test.tasks.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
})

it('asks scoring for the amount of the loan', async () => {
  const score: Script = ({ params }) => {
    expect(params).toEqual({ amount: 900 })
    return { data: { score: 0 } }
  }
  await testWith({ score }).run({ initialData: { amount: 900 } })
})
