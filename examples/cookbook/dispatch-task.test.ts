import { BlueprintTest, type Script } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { film } from './dispatch-task.ts'

function testWith(workers: Record<string, Script>): BlueprintTest {
  const test = new BlueprintTest(film, { workers })
  onTestFinished(() => test.close())
  return test
}

it('ends with what the worker returned, and says what it asked of the worker', async () => {
  const test = testWith({ render: { data: { frames: 240 } } })
  const job = await test.run({ initialData: { scene: 7 } })
  job.assertEnded({ status: 'finished', result: { frames: 240 } })
  expect(test.tasks).toMatchObject([
    {
      params: { scene: 7 },
      priority: 5,
      demand: { type: 'render', maxCost: 0.5, resources: { gpu_info: { vram_gb: 24 } } },
    },
  ])
})

it('is tried again after two seconds, then after ten, then set aside', async () => {
  const test = testWith({ render: { error: { code: 'TRANSIENT_ERROR', message: 'overheated' } } })
  const startedAt = test.now()
  const job = await test.run({ initialData: { scene: 7 } })
  job.assertEnded({ status: 'quarantined', error: 'Task failed after 3 attempts: overheated' })
  expect(test.now() - startedAt).toBe(12_000)
})

it('counts a worker that gives no answer as a failed try', async () => {
  const test = testWith({ render: ['no_answer', { data: { frames: 1 } }] })
  const startedAt = test.now()
  const job = await test.run({ initialData: { scene: 7 } })
  job.assertEnded({ status: 'finished', result: { frames: 1 } })
  expect(test.now() - startedAt).toBe(122_000)
})

it('fails when no worker takes it in time, and says why', async () => {
  const job = await testWith({ paint: {} }).run({ initialData: { scene: 7 } })
  job.assertEnded({ status: 'failed', error: "does not offer the skill 'render'" })
})
