/** A person decided. */
import { admit } from './data.ts'
import { changed, refused, type Decision } from './decision.ts'
import { draftOf, record } from './draft.ts'
import type { ApprovalDecidedEvent } from './event.ts'
import type { Job } from './job.ts'
import type { Rules } from './rules.ts'
import { targetOf } from './single-task.ts'
import { enterState } from './transition.ts'

/** Only a job that waits for a person can be decided, once per request (D-33). */
export function onApprovalDecided(job: Job, event: ApprovalDecidedEvent, rules: Rules): Decision {
  const { wait } = job
  if (wait?.for !== 'approval') {
    return refused('NOT_APPROVABLE', 'Job is not in a state that can be approved')
  }
  const { approvalId, approval, at } = event
  if (approvalId !== null && approvalId !== wait.approvalId) {
    const message = 'This link is for an earlier request, which was decided or has expired.'
    return refused('NOT_APPROVABLE', message)
  }
  const { decision, actor, comment, data } = approval
  const target = targetOf(wait.transitions, decision)
  if (target === undefined) {
    const known = Object.keys(wait.transitions).join(', ')
    const message = `Invalid decision '${decision}' for this job; possible are: ${known}.`
    return refused('DECISION_INVALID', message)
  }
  const draft = draftOf(job, at)
  const tooLarge = data === null ? null : admit(draft, data, rules)
  if (tooLarge !== null) return refused('DATA_TOO_LARGE', tooLarge.message)
  record(draft, 'approval_decided', {
    details: { approvalId: wait.approvalId, decision, actor, comment, data },
  })
  const received = { kind: 'approval', approval: { ...approval, decidedAt: at } } as const
  enterState(draft, { target, received }, rules)
  return changed(draft)
}
