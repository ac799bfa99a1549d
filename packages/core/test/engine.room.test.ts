/** A worker whose hands are full gets its next task the moment one of them is free. */
import { expect, it } from 'vitest'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { settled } from './support/storage-under-test.ts'

const SUCCESS = { status: 'success' }

it('a poll that was there before its worker had room is answered when a result makes room', async () => {
  const world = new World()
  const engine = world.engine(oneTask())
  const worker = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 1 })
  await create(engine, oneTask())
  const second = await create(engine, oneTask())
  const first = await worker.take()
  // A worker asks as soon as it has done its work; its result may be on its way for a little longer.
  const polled = worker.poll(30_000)
  await settled()
  await worker.report(first, SUCCESS)
  await settled()
  // No time has passed, so no slow look can have found it.
  const answer = await Promise.race([polled, Promise.resolve('nothing yet')])
  expect(answer).toMatchObject([{ task: { jobId: second } }])
})
