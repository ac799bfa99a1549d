import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

/** One task per picture, all at once; the aggregator sees each, also those that failed. */
export const album = new Blueprint('album', { input: z.object({ pictures: z.array(z.string()) }) })
  .state('start', { start: true }, ({ initialData: { pictures }, actions }) => {
    const tasks = pictures.map((picture) => ({ type: 'resize', params: { picture } }))
    actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
  })
  .aggregator('collect', ({ branches, actions }) => {
    const thumbnails = branches.map(({ data }) => data?.['thumbnail'] ?? null)
    const failed = branches.filter(({ status }) => status !== 'success')
    actions.updateContext({ thumbnails, problems: failed.map(({ error }) => error?.message) })
    actions.goTo(failed.length === branches.length && failed.length > 0 ? 'failed' : 'done')
  })
  .state('done', { end: true }, ({ stateHistory: { thumbnails, problems } }) => {
    return { thumbnails, problems }
  })
  .state('failed', { end: true })
