import { BlueprintTest } from '@avtomatika/core/testing'
import { it, onTestFinished } from 'vitest'
import { support } from './conditions.ts'

it.each([
  [{ type: 'outage', plan: 'gold' }, 'page_somebody'],
  [{ type: 'outage', test: true, plan: 'gold' }, 'fast_lane'],
  [{ plan: 'basic', text: 'Where is my invoice?' }, 'accounting'],
  [{}, 'queue'],
])('sends %j to %s', async (initialData, state) => {
  const test = new BlueprintTest(support)
  onTestFinished(() => test.close())
  const job = await test.run({ initialData })
  job.assertVisited('start', state)
})
