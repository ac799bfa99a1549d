/** Documents for tests: complete and valid, with the few fields that matter set by the test. */
import type { HistoryRecord, OfferedTask } from '../job/effect.ts'
import type { Job } from '../job/job.ts'
import type { CancelJobMessage } from '../job/message.ts'
import type { WorkerRecord } from '../ports/worker-record.ts'

/** A moment that tests count from: 2026-01-01 00:00 UTC, in ms. */
export const T0 = 1_767_225_600_000

/** A job that was just created and whose first step is ready. */
export function aJob(fields: Partial<Job> = {}): Job {
  const id = fields.id ?? 'job-1'
  return {
    id,
    version: 1,
    blueprint: { name: 'order', version: '1', hash: 'h1' },
    status: 'pending',
    state: 'start',
    initialData: {},
    stateHistory: {},
    owner: { clientId: 'client-1', plan: null, params: {} },
    tracing: {},
    metadata: {},
    webhookUrl: null,
    parentId: null,
    depth: 0,
    createdAt: T0,
    updatedAt: T0,
    finishedAt: null,
    dispatchTimeoutMs: null,
    resultTimeoutMs: null,
    timeoutMs: null,
    sequence: 1,
    transitionCount: 0,
    recentStates: ['start'],
    stateEnteredAt: T0,
    retryCount: 0,
    wait: { for: 'step', stepId: `${id}-s1` },
    received: null,
    inbox: [],
    seenEventIds: [],
    dataBytes: 2,
    progress: null,
    progressMessage: null,
    error: null,
    result: null,
    lastData: null,
    lastWorkerId: null,
    answers: [],
    ...fields,
  }
}

/** A task as it is offered: first attempt, no priority, five minutes to run. */
export function aTask(fields: Partial<OfferedTask> = {}): OfferedTask {
  return {
    taskId: 'task-1',
    jobId: 'job-1',
    attempt: 1,
    demand: { type: 'resize' },
    params: {},
    priority: 0,
    strategy: 'default',
    tracing: {},
    executionTimeoutMs: 300_000,
    resultDeadlineAt: null,
    avoid: null,
    ...fields,
  }
}

/** An idle worker that does `resize` and was heard of just now. */
export function aWorker(fields: Partial<WorkerRecord> = {}): WorkerRecord {
  return {
    workerId: 'worker-1',
    workerType: 'cpu',
    skills: [{ name: 'resize', type: null, version: null }],
    maxConcurrentTasks: 10,
    status: 'idle',
    load: 0,
    currentTasks: [],
    hotSkills: [],
    reputation: 1,
    registeredAt: T0,
    lastSeenAt: T0,
    expiresAt: T0 + 60_000,
    registration: {},
    ...fields,
  }
}

/** A message that ends a child of `job-1`. */
export function aMessage(fields: Partial<CancelJobMessage> = {}): CancelJobMessage {
  return {
    kind: 'cancel_job',
    messageId: 'job-1:2:0',
    from: 'job-1',
    to: 'job-1-c2',
    reason: 'Its parent job job-1 ended as cancelled.',
    ...fields,
  }
}

/** The history row of a job's creation. */
export function aRecord(fields: Partial<HistoryRecord> = {}): HistoryRecord {
  const jobId = fields.jobId ?? 'job-1'
  return {
    eventId: `${jobId}:1:0`,
    jobId,
    ownerId: 'client-1',
    blueprint: 'order',
    version: 1,
    at: T0,
    type: 'job_created',
    status: 'pending',
    state: 'start',
    ...fields,
  }
}
