import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { quotes } from './parallel-map.ts'

it('chooses among those that answered, by name', async () => {
  const test = new BlueprintTest(quotes, {
    workers: {
      quote_snail: { data: { price: 3 } },
      quote_courier: { data: { price: 9 } },
      quote_pigeon: 'no_answer',
    },
  })
  onTestFinished(() => test.close())
  const job = await test.start({ initialData: { parcel: 'books' } })
  expect(job.status).toBe('waiting_for_parallel_tasks')
  await job.untilEnded()
  job.assertEnded({ status: 'finished', result: { name: 'snail', price: 3 } })
})

it('lets two branches out at a time', async () => {
  const test = new BlueprintTest(quotes, {
    workers: { quote_snail: 'no_answer', quote_courier: 'no_answer', quote_pigeon: 'no_answer' },
  })
  onTestFinished(() => test.close())
  await test.start({ initialData: { parcel: 'books' } })
  expect(test.tasks.map(({ type }) => type)).toEqual(['quote_snail', 'quote_courier'])
})
