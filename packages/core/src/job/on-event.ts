/** Events: from clients and other jobs to a job, and from workers about their task. */
import { admit } from './data.ts'
import { changed, ignored, refused, type Decision } from './decision.ts'
import { draftOf, record } from './draft.ts'
import type { EventReceivedEvent, WorkerEventEvent } from './event.ts'
import { isKnown, isWanted, markSeen } from './inbox.ts'
import type { Job } from './job.ts'
import { heldBy } from './on-task.ts'
import type { Rules } from './rules.ts'
import { takeData, targetOf } from './single-task.ts'
import { enterState, notify } from './transition.ts'

/** An event goes to the wait that wants it, or into the inbox until one does. */
export function onEventReceived(job: Job, event: EventReceivedEvent, rules: Rules): Decision {
  const { eventId: id, name, data, at } = event
  if (isKnown(job, id)) return { kind: 'repeated' }
  if (job.wait === null) {
    return refused('JOB_ENDED', `The job has ended (${job.status}); no event can reach it.`)
  }
  const draft = draftOf(job, at)
  const tooLarge = admit(draft, data, rules)
  if (tooLarge !== null) return refused('DATA_TOO_LARGE', tooLarge.message)
  const received = { id, name, data, receivedAt: at }
  const { wait } = job
  const isExpected = wait.for === 'event' && isWanted(event, wait)
  if (!isExpected && job.inbox.length >= rules.maxStoredEvents) {
    const limit = String(rules.maxStoredEvents)
    const message = `The job keeps ${limit} events that it has not waited for yet, and no more; send this one again later.`
    return refused('EVENTS_FULL', message)
  }
  markSeen(draft, id)
  record(draft, 'event_received', { details: { id, name, data, isStored: !isExpected } })
  if (isExpected) {
    const entry = { target: wait.received, received: { kind: 'event', event: received } } as const
    enterState(draft, entry, rules)
  } else {
    draft.job.inbox = [...job.inbox, received]
  }
  return changed(draft)
}

/** A worker's event is kept in the history, and may move the job before there is a result (D-35). */
export function onWorkerEvent(job: Job, event: WorkerEventEvent, rules: Rules): Decision {
  const { eventId, type, payload, workerId } = event
  // Workers and clients draw their ids apart from each other.
  const seenAs = `worker:${eventId}`
  if (job.seenEventIds.includes(seenAs)) return { kind: 'repeated' }
  const claimed = heldBy(job, event)
  if (claimed === null) return ignored('stale_task')
  if (claimed.phase.workerId !== workerId) return ignored('worker_mismatch')
  const draft = draftOf(job, event.at)
  markSeen(draft, seenAs)
  const { taskId } = claimed
  record(draft, 'worker_event', { workerId, taskId, details: { id: eventId, type, payload } })
  const { webhookUrl, wait } = job
  if (webhookUrl !== null) notify(draft, webhookUrl, `worker_event:${type}`)
  const target = wait?.for === 'task' ? targetOf(wait.eventTransitions, type) : undefined
  // The task is withdrawn with the wait: its worker is told to stop.
  if (target !== undefined && takeData(draft, payload, rules)) enterState(draft, { target }, rules)
  return changed(draft)
}
