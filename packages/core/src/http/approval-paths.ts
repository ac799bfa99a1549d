import { PATHS } from '@avtomatika/protocol'
import type { Job } from '../job/job.ts'
import type { Caller } from './client-auth.ts'
import type { ClientRoutesOptions } from './client-routes-options.ts'
import type { ApprovalPaths } from './job-view.ts'

/**
 * The one-time links of a job that waits for a person, as paths below our address: we do not know by
 * which name the world calls us. Only the owner has them: who holds one decides without a token.
 */
export function approvalPaths(
  { id, wait, owner }: Job,
  caller: Caller,
  { links, mount, now }: Pick<ClientRoutesOptions, 'links' | 'mount' | 'now'>,
): ApprovalPaths {
  if (wait?.for !== 'approval' || owner.clientId !== caller.owner.clientId) return {}
  const path = mount + PATHS.approval(id)
  const tokens = Object.entries(links.tokensOf(id, wait, now()))
  return Object.fromEntries(tokens.map(([decision, token]) => [decision, `${path}?token=${token}`]))
}
