import { BlueprintTest, type Script } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { search } from './worker-events.ts'

function testWith(script: Script): BlueprintTest {
  const test = new BlueprintTest(search, { workers: { search_archive: script } })
  onTestFinished(() => test.close())
  return test
}

it('goes on with the event and its data; the result that follows changes nothing', async () => {
  const test = testWith(async ({ emit }) => {
    await emit('shelf_done', { shelf: 1 })
    await emit('found', { page: 12 })
    return { data: { page: 99 } }
  })
  const job = await test.run({ initialData: { word: 'tea' } })
  job.assertEnded({ status: 'finished', state: 'done', result: { page: 12 } })
  expect(test.events.map(({ type }) => type)).toEqual(['shelf_done', 'found'])
})

it('ends by the result when no such event comes', async () => {
  const job = await testWith({}).run({ initialData: { word: 'tea' } })
  job.assertEnded({ state: 'nothing_found' })
})
