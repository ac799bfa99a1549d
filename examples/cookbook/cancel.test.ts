import { once } from 'node:events'
import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished, vi } from 'vitest'
import { backup, stop } from './cancel.ts'
import { startStack } from './support/stack.ts'

it('ends the job at once, and its worker is told to stop', async () => {
  const signals: AbortSignal[] = []
  const { client } = await startStack({
    blueprints: [backup],
    tasks: {
      copy_all: async ({ signal }) => {
        signals.push(signal)
        await once(signal, 'abort')
      },
    },
  })
  const { jobId } = await client.createJob('/jobs/backups', {})
  const signal = await vi.waitFor(() => {
    const [first] = signals
    if (first === undefined) throw new Error('no task was taken yet')
    return first
  })
  expect(await stop(client, jobId)).toBe('cancelled')
  if (!signal.aborted) await once(signal, 'abort')
  expect(await stop(client, jobId)).toBe('cancelled')
})

it('lets a result that comes too late change nothing', async () => {
  const test = new BlueprintTest(backup, { workers: { copy_all: 'no_answer' } })
  onTestFinished(() => test.close())
  const job = await test.start()
  await job.cancel()
  await job.skip(3600)
  job.assertEnded({ status: 'cancelled', state: 'start' })
})
