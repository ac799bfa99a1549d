import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { release } from './parallel-fail-fast.ts'

it('ships when all checks have passed', async () => {
  const test = new BlueprintTest(release, { workers: { lint: {}, unit: {}, e2e: {}, publish: {} } })
  onTestFinished(() => test.close())
  const job = await test.run({ initialData: { build: 7 } })
  job.assertEnded({ status: 'finished' }).assertVisited('start', 'ship', 'done')
})

it('ends with the first failure, as that failure would end it', async () => {
  const test = new BlueprintTest(release, {
    workers: {
      lint: { error: { code: 'PERMANENT_ERROR', message: 'two spaces missing' } },
      unit: 'no_answer',
      e2e: 'no_answer',
      publish: {},
    },
  })
  onTestFinished(() => test.close())
  const job = await test.run({ initialData: { build: 7 } })
  job.assertEnded({ status: 'quarantined', error: 'two spaces missing' })
  expect(test.tasks.map(({ type }) => type)).not.toContain('publish')
})
