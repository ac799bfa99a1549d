import { BlueprintTest } from '@avtomatika/core/testing'
import { it, onTestFinished } from 'vitest'
import { exam } from './end-states.ts'

it.each([
  [{ data: { points: 70 } }, { status: 'finished', state: 'passed', result: { points: 70 } }],
  [
    { status: 'poor', data: { points: 30 } },
    { status: 'failed', state: 'rejected', result: { missing: 20 } },
  ],
  [{ status: 'absent' }, { status: 'failed', state: 'not_graded' }],
  [
    { status: 'withdrawn' },
    { status: 'finished', state: 'cancelled', result: { note: 'withdrawn in time' } },
  ],
] as const)('ends by %j as %j', async (reply, expected) => {
  const test = new BlueprintTest(exam, { workers: { grade: reply } })
  onTestFinished(() => test.close())
  const job = await test.run({ initialData: { paper: 1 } })
  job.assertEnded(expected)
})
