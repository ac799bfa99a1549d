import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { album } from './parallel-list.ts'

function test(): BlueprintTest {
  const started = new BlueprintTest(album, {
    workers: {
      resize: ({ params: { picture } }) =>
        picture === 'broken.png'
          ? { error: { code: 'PERMANENT_ERROR', message: 'no picture' } }
          : { data: { thumbnail: picture } },
    },
  })
  onTestFinished(() => started.close())
  return started
}

it('collects the results in the order of the list', async () => {
  const job = await test().run({ initialData: { pictures: ['a.png', 'b.png'] } })
  job.assertVisited('start', 'collect', 'done')
  job.assertEnded({ result: { thumbnails: ['a.png', 'b.png'], problems: [] } })
})

it('goes on when a branch has failed for good, and knows which', async () => {
  const job = await test().run({ initialData: { pictures: ['a.png', 'broken.png'] } })
  job.assertEnded({ status: 'finished' })
  expect(job.stateHistory).toMatchObject({ thumbnails: ['a.png', null] })
  expect(job.stateHistory['problems']).toEqual([expect.stringContaining('no picture')])
})

it('goes straight to the aggregator when there is nothing to do', async () => {
  const job = await test().run({ initialData: { pictures: [] } })
  job.assertEnded({ status: 'finished', result: { thumbnails: [], problems: [] } })
})
