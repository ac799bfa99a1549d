/** A claim that never reached its job: the worker does not know of its task, nor does the job of its worker. */
import { UnavailableError } from '@avtomatika/protocol'
import { expect, it } from 'vitest'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

it('a claim whose orchestrator died does not keep its task from others, whoever renews it (W8)', async () => {
  let isFirst = true
  const inner = openStorage()
  const storage = overlay(inner, {
    claimTasks: async (claim) => {
      const claimed = await inner.claimTasks(claim)
      if (!isFirst) return claimed
      isFirst = false
      throw new UnavailableError('STORAGE_UNAVAILABLE', { message: 'away' })
    },
  })
  const world = new World({ storage })
  const engine = world.engine(oneTask())
  const [first, second] = [await Hand.hire(engine, 'w-1'), await Hand.hire(engine, 'w-2')]
  const jobId = await create(engine, oneTask())
  await expect(first.poll()).rejects.toThrow('away')
  const polled = second.poll(900_000)
  for (let waited = 0; waited < 660_000; waited += 10_000) {
    await world.clock.advance(10_000)
    // Workers of older generations list no tasks: whatever they hold is renewed.
    await Promise.all([first.beat(), second.beat()])
  }
  expect(await polled).toMatchObject([{ task: { jobId } }])
})
