import { BlueprintTest } from '@avtomatika/core/testing'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { expenses } from './approval.ts'

let test: BlueprintTest

beforeEach(() => {
  test = new BlueprintTest(expenses, { workers: { pay: { data: { paid: true } } } })
  onTestFinished(() => test.close())
})

it('pays what was approved, by the word of whoever did', async () => {
  const job = await test.start({ initialData: { amount: 90 } })
  expect(job.status).toBe('waiting_for_human')
  await job.decide('approved', { actor: 'ann', comment: 'but not all', data: { limit: 50 } })
  job.assertEnded({ status: 'finished' })
  expect(test.tasks[0]?.params).toEqual({ amount: 50, approvedBy: 'ann' })
})

it('ends as failed when it is rejected, and says why', async () => {
  const job = await test.start({ initialData: { amount: 90 } })
  await job.decide('rejected', { comment: 'too much' })
  job.assertEnded({ status: 'failed', state: 'rejected', result: { why: 'too much' } })
})

it('asks somebody else when nobody has decided for a day', async () => {
  const job = await test.start({ initialData: { amount: 90 } })
  await job.skip(86_400)
  expect(job.state).toBe('escalate')
  await job.decide('approved', { actor: 'bob' })
  job.assertVisited('start', 'escalate', 'pay', 'done')
})

it('takes only the decisions that were asked for', async () => {
  const job = await test.start({ initialData: { amount: 90 } })
  await expect(job.decide('perhaps')).rejects.toThrow('approved')
})
