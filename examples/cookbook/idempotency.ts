import type { AvtomatikaClient } from '@avtomatika/client'
import { Blueprint } from '@avtomatika/core'

export const invoice = new Blueprint('invoice', { endpoint: '/jobs/invoices', version: 'v1' })
  .state('start', { start: true }, ({ initialData: { order }, actions }) => {
    actions.dispatchTask({ type: 'print', params: { order }, transitions: { success: 'done' } })
  })
  .state('done', { end: true })

/** However often this is called, and by however many processes: one invoice per order. */
export async function invoiceFor(client: AvtomatikaClient, order: number): Promise<string> {
  const options = { idempotencyKey: `invoice-${order}` }
  const { jobId } = await client.createJob('/jobs/invoices', { order }, options)
  return jobId
}
