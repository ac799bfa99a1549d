import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { triage } from './states.ts'

it.each([
  [{ amount: 10 }, ['start', 'accepted'], 'finished'],
  [{ amount: 5000, customer: 'regular-7' }, ['start', 'check', 'accepted'], 'finished'],
  [{ amount: 5000, customer: 'new' }, ['start', 'check', 'rejected'], 'failed'],
] as const)('goes its way with %j', async (initialData, visited, status) => {
  const test = new BlueprintTest(triage)
  onTestFinished(() => test.close())
  const job = await test.run({ initialData })
  job.assertVisited(...visited).assertEnded({ status })
  expect(test.tasks).toEqual([])
})
