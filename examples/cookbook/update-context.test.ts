import { BlueprintTest } from '@avtomatika/core/testing'
import { it, onTestFinished } from 'vitest'
import { match } from './update-context.ts'

it('finds in each state what the ones before had noted', async () => {
  const test = new BlueprintTest(match, {
    workers: { play: [{ data: { points: 3 } }, { data: { points: 4 } }, { data: { points: 5 } }] },
  })
  onTestFinished(() => test.close())
  const job = await test.run()
  job.assertVisited('start', 'count', 'count', 'count', 'done')
  job.assertEnded({ result: { total: 12 } })
})
