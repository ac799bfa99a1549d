import { bytesOf } from './data.ts'
import { changed, type Decision } from './decision.ts'
import { record, type Draft } from './draft.ts'
import type { CreatedEvent } from './event.ts'
import type { Job } from './job.ts'
import { readyStep } from './transition.ts'

/** The first document of a job, with its first step ready. */
export function onCreated({ job: given, start, at }: CreatedEvent): Decision {
  const first: Job = {
    ...given,
    version: 1,
    status: 'pending',
    state: start.state,
    stateHistory: {},
    createdAt: at,
    updatedAt: at,
    finishedAt: null,
    sequence: 0,
    transitionCount: 0,
    recentStates: [start.state],
    stateEnteredAt: at,
    retryCount: 0,
    wait: null,
    received: null,
    inbox: [],
    seenEventIds: [],
    dataBytes: bytesOf(given.initialData),
    progress: null,
    progressMessage: null,
    error: null,
    result: null,
    lastData: null,
    lastWorkerId: null,
    answers: [],
  }
  const draft: Draft = { at, before: undefined, job: { ...first }, effects: [] }
  record(draft, 'job_created')
  readyStep(draft)
  return changed(draft)
}
