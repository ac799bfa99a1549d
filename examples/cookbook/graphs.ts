import type { AvtomatikaClient } from '@avtomatika/client'
import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

export const parcel = new Blueprint('parcel', {
  endpoint: '/jobs/parcels',
  version: 'v1',
  input: z.object({ size: z.string(), next: z.string().default('done') }),
})
  .state('start', { start: true }, ({ actions }) => actions.goTo('ask'))
  .when("initial_data.size == 'small'", ({ actions }) => actions.goTo('done'))
  .state('ask', ({ actions }) => {
    actions.awaitHumanApproval({
      integration: 'desk',
      message: 'Too big for the van?',
      transitions: { yes: 'rejected', no: 'route' },
    })
  })
  // A scan of the source cannot see what is computed: it is declared.
  .state('route', { to: ['done'] }, ({ initialData: { next }, actions }) => {
    actions.goTo(next)
  })
  .state('done', { end: true })
  .state('rejected', { end: true })

/** The workflow as a picture for a document, and where one job is in it for a web page. */
export async function pictures(
  client: AvtomatikaClient,
  jobId: string,
): Promise<{ readonly mermaid: string; readonly dot: string; readonly svg: string }> {
  return {
    mermaid: await client.blueprintGraph('parcel', { format: 'mermaid' }),
    dot: await client.blueprintGraph('parcel', { format: 'dot' }),
    svg: await client.jobGraph(jobId, { format: 'svg' }),
  }
}
