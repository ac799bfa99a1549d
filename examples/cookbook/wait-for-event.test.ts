import { BlueprintTest, type Script } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { shop } from './wait-for-event.ts'

function testWith(reserve: Script = {}): BlueprintTest {
  const test = new BlueprintTest(shop, { workers: { reserve, release: {} } })
  onTestFinished(() => test.close())
  return test
}

it('takes the event that matches, and no other', async () => {
  const job = await testWith().start({ initialData: { order: 7 } })
  await job.sendEvent('paid', { order: 8, amount: 1 })
  expect(job.status).toBe('waiting_for_event')
  await job.sendEvent('paid', { order: 7, amount: 25 })
  job.assertEnded({ status: 'finished', result: { paid: 25 } })
})

it('takes one that came before it was waited for', async () => {
  const test = testWith([{ error: { code: 'TRANSIENT_ERROR' } }, {}])
  const job = await test.start({ initialData: { order: 7 } })
  await job.sendEvent('paid', { order: 7, amount: 25 })
  expect(job.state).toBe('start')
  await job.untilEnded()
  job.assertVisited('start', 'await_payment', 'done')
})

it('gives up after an hour', async () => {
  const test = testWith()
  const startedAt = test.now()
  const job = await test.run({ initialData: { order: 7 } })
  job.assertEnded({ status: 'failed', state: 'expired' })
  expect(test.now() - startedAt).toBe(3_600_000)
})
