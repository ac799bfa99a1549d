import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { checkout } from './job-timeouts.ts'

function testOf(workers: ConstructorParameters<typeof BlueprintTest>[1] = {}): BlueprintTest {
  const test = new BlueprintTest(checkout, workers)
  onTestFinished(() => test.close())
  return test
}

it('fails an hour after its creation, and says where it was', async () => {
  const test = testOf({ workers: { reserve: {} } })
  const startedAt = test.now()
  const job = await test.run()
  job.assertEnded({ status: 'failed', state: 'ask', error: 'TIMEOUT_ERROR' })
  job.assertEnded({ error: 'waiting_for_human' })
  expect(test.now() - startedAt).toBe(3_600_000)
})

it('has less time when its creator says so', async () => {
  const test = testOf({ workers: { reserve: {} } })
  const startedAt = test.now()
  const job = await test.run({ jobTimeoutMs: 60_000 })
  job.assertEnded({ status: 'failed' })
  expect(test.now() - startedAt).toBe(60_000)
})

it('fails when no worker has taken a task within the time that its creator gives', async () => {
  const job = await testOf().run({ dispatchTimeoutMs: 10_000 })
  job.assertEnded({ status: 'failed', state: 'start', error: 'dispatch' })
})
