import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { kitchen, waiter } from './send-event.ts'

it('moves the other job on', async () => {
  const test = new BlueprintTest(kitchen, { children: [waiter], workers: { cook: {} } })
  onTestFinished(() => test.close())
  const cooking = await test.start()
  const initialData = { dish: 'soup', kitchenJob: cooking.id }
  const waiting = await test.run({ blueprint: waiter, initialData })
  waiting.assertEnded({ status: 'finished' })
  cooking.assertEnded({ status: 'finished' })
  expect(test.tasks[0]?.params).toEqual({ dish: 'soup' })
})

it('does not mind that the other job is gone', async () => {
  const test = new BlueprintTest(waiter)
  onTestFinished(() => test.close())
  const job = await test.run({ initialData: { dish: 'soup', kitchenJob: 'nobody' } })
  job.assertEnded({ status: 'finished' })
})
