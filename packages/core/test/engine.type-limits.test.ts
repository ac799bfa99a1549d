/** A worker that takes only so many tasks of a skill is given no more (W2). */
import { expect, it } from 'vitest'
import { create, Hand, oneTask, World } from './support/engine-world.ts'

const ONE_AT_A_TIME = { supported_skills: [{ name: 'resize', max_concurrent_tasks: 1 }] }

it('it is given the next one when the first is done, whether or not it waits for it', async () => {
  const world = new World()
  const engine = world.engine(oneTask())
  const hand = await Hand.hire(engine, 'w-1', { ...ONE_AT_A_TIME, max_concurrent_tasks: 5 })
  const polled = hand.poll(30_000, { max: 5 })
  await create(engine, oneTask())
  await create(engine, oneTask())
  const [first, ...others] = await polled
  expect(others).toEqual([])
  if (first === undefined) throw new Error('There was no task.')
  expect(await hand.poll(0, { max: 5 })).toEqual([])
  const next = hand.poll(30_000, { max: 5 })
  await hand.report(first.task)
  expect(await next).toHaveLength(1)
})

it('other workers take what it does not', async () => {
  const world = new World()
  const engine = world.engine(oneTask())
  const one = await Hand.hire(engine, 'w-1', { ...ONE_AT_A_TIME })
  const two = await Hand.hire(engine, 'w-2')
  for (let n = 0; n < 3; n += 1) await create(engine, oneTask())
  expect(await one.poll(0, { max: 3 })).toHaveLength(1)
  expect(await two.poll(0, { max: 3 })).toHaveLength(2)
})
