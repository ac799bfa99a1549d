import { BlueprintTest, type Reply } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { moderation } from './custom-status.ts'

async function endOf(reply: Reply) {
  const test = new BlueprintTest(moderation, { workers: { classify: reply } })
  onTestFinished(() => test.close())
  return test.run({ initialData: { text: 'Buy now!' } })
}

it.each([
  [{ status: 'spam' }, 'rejected', 'failed'],
  [{ status: 'unsure', data: { score: 0.5 } }, 'ask', 'finished'],
  [{ status: 'failure' }, 'ask', 'finished'],
  [{}, 'published', 'finished'],
] as const)('goes where %j leads', async (reply, state, status) => {
  const job = await endOf(reply)
  job.assertEnded({ state, status })
})

it('hands the data of every status to the next state', async () => {
  const job = await endOf({ status: 'unsure', data: { score: 0.5 } })
  expect(job.result).toEqual({ forHumans: true, score: 0.5 })
})

it('fails on a word that it does not know, and names those that it does', async () => {
  const job = await endOf({ status: 'perhaps' })
  job.assertEnded({ status: 'failed', error: 'perhaps' }).assertEnded({ error: 'unsure' })
})
