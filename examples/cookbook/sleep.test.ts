import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { trial } from './sleep.ts'

const DAY = 86_400

it('reminds after twenty-five days, and ends at the given moment', async () => {
  const test = new BlueprintTest(trial, { startAt: Date.parse('2030-06-01T00:00:00Z') })
  onTestFinished(() => test.close())
  const job = await test.start({ initialData: { endsAt: '2030-07-01T12:00:00Z' } })
  await job.skip(25 * DAY)
  expect(test.events.map(({ type }) => type)).toEqual(['trial_ends_soon'])
  await job.untilEnded()
  expect(new Date(test.now()).toISOString()).toBe('2030-07-01T12:00:00.000Z')
})

it('goes on at once when the moment has passed', async () => {
  const test = new BlueprintTest(trial, { startAt: Date.parse('2031-01-01T00:00:00Z') })
  onTestFinished(() => test.close())
  const job = await test.run({ initialData: { endsAt: '2030-07-01T12:00:00Z' } })
  job.assertEnded({ status: 'finished' })
  expect(test.now()).toBe(Date.parse('2031-01-26T00:00:00Z'))
})
