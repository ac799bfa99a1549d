import { isTerminalJobStatus, NotFoundError, type AvtomatikaClient } from '@avtomatika/client'
import { Blueprint } from '@avtomatika/core'

export const backup = new Blueprint('backup', { endpoint: '/jobs/backups', version: 'v1' })
  .state('start', { start: true }, ({ actions }) => {
    actions.dispatchTask({ type: 'copy_all', transitions: { success: 'done' } })
  })
  .state('done', { end: true })

/** Stops a job, if it has not ended by itself; answers how it ended. */
export async function stop(client: AvtomatikaClient, jobId: string): Promise<string> {
  try {
    await client.cancelJob(jobId)
  } catch (error) {
    if (!NotFoundError.is(error) || error.code !== 'JOB_ALREADY_TERMINAL') throw error
  }
  const { status } = await client.getJob(jobId)
  return isTerminalJobStatus(status) ? status : 'not yet'
}
