import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { booking } from './failure-transition.ts'

it('makes amends when the second booking fails for good, and knows why it failed', async () => {
  const test = new BlueprintTest(booking, {
    workers: {
      book_flight: { data: { flight: 'AV 1' } },
      book_hotel: { error: { code: 'PERMANENT_ERROR', message: 'no rooms' } },
      cancel_flight: {},
    },
  })
  onTestFinished(() => test.close())
  const job = await test.run()
  job.assertVisited('start', 'hotel', 'make_amends', 'nothing_booked')
  job.assertEnded({ status: 'failed' })
  expect(test.tasks.at(-1)?.params).toMatchObject({
    flight: 'AV 1',
    reason: { code: 'PERMANENT_ERROR', message: expect.stringContaining('no rooms') as string },
  })
})

it('tries again first: amends are made when no try has helped', async () => {
  const outage = { error: { code: 'TRANSIENT_ERROR' } }
  const test = new BlueprintTest(booking, {
    workers: { book_flight: { data: { flight: 'AV 1' } }, book_hotel: [outage, {}] },
  })
  onTestFinished(() => test.close())
  const job = await test.run()
  job.assertVisited('start', 'hotel', 'done').assertEnded({ status: 'finished' })
})
