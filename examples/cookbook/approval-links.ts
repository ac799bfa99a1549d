import type { AvtomatikaClient } from '@avtomatika/client'
import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

export const leave = new Blueprint('leave', {
  endpoint: '/jobs/leave',
  version: 'v1',
  input: z.object({ who: z.string(), days: z.number() }),
})
  .state('start', { start: true }, ({ initialData: { who, days }, actions }) => {
    actions.awaitHumanApproval({
      integration: 'email',
      message: `${who} asks for ${days} days off.`,
      transitions: { approved: 'granted', rejected: 'refused' },
      timeout: 7 * 86_400,
      onTimeout: 'refused',
    })
  })
  .state('granted', { end: true }, ({ approval }) => ({ decidedAt: approval?.decidedAt }))
  .state('refused', { end: 'failed' })

/** What to write to the person who decides: each link is signed for one decision, and works once. */
export async function letterFor(
  client: AvtomatikaClient,
  jobId: string,
  publicUrl: string,
): Promise<string> {
  const { approval } = await client.getJob(jobId)
  if (approval === null) throw new Error(`Job ${jobId} waits for nobody.`)
  const lines = approval.decisions.map((decision) => {
    return `${decision}: ${publicUrl}${approval.links[decision] ?? ''}`
  })
  return [approval.message, ...lines].join('\n')
}
