import { z } from 'zod'

import { approvalBodySchema, approvalReceivedSchema } from './client/approval.ts'
import { createJobEnvelopeSchema, jobAcceptedSchema } from './client/create-job.ts'
import {
  deadLetterQuerySchema,
  deadLetterResentSchema,
  deadLettersViewSchema,
} from './client/dead-letters.ts'
import { jobEventAcceptedSchema, jobEventBodySchema } from './client/events.ts'
import {
  catalogEntrySchema,
  drainBodySchema,
  workerDrainedSchema,
  workerEvictedSchema,
} from './client/fleet.ts'
import { graphQuerySchema } from './client/graph.ts'
import { historyRowSchema } from './client/history.ts'
import {
  jobChunkEventSchema,
  jobGapEventSchema,
  jobProgressEventSchema,
  jobStatusEventSchema,
  jobStreamEndSchema,
} from './client/job-stream.ts'
import { cancelAcceptedSchema, jobViewSchema } from './client/job-view.ts'
import {
  discardJobsBodySchema,
  jobDiscardedSchema,
  jobRetriedSchema,
  quarantineQuerySchema,
  quarantineResultsSchema,
  quarantineViewSchema,
  retryJobBodySchema,
  retryJobsBodySchema,
} from './client/quarantine.ts'
import { pendingTasksQuerySchema, pendingTasksViewSchema } from './client/pending-tasks.ts'
import { serverStatusSchema, workerViewSchema } from './client/workers.ts'
import { errorBodySchema } from './error-body.ts'
import { taskAckReplySchema, taskAckSchema } from './worker/ack.ts'
import { workerCommandSchema } from './worker/command.ts'
import { eventBatchReplySchema, eventBatchSchema } from './worker/event-batch.ts'
import { eventReplySchema, workerEventSchema } from './worker/event.ts'
import { heartbeatReplySchema, heartbeatSchema } from './worker/heartbeat.ts'
import { pollQuerySchema, taskBatchSchema } from './worker/poll.ts'
import { registrationReplySchema, workerRegistrationSchema } from './worker/register.ts'
import { resultAckSchema, taskResultSchema } from './worker/result.ts'
import { resultBatchReplySchema, resultBatchSchema } from './worker/result-batch.ts'
import { taskPayloadSchema } from './worker/task.ts'
import { tokenRefreshSchema, tokenResponseSchema } from './worker/token.ts'

/** Every message of the contract by name. */
export const messageSchemas = {
  CreateJobEnvelope: createJobEnvelopeSchema,
  JobAccepted: jobAcceptedSchema,
  JobView: jobViewSchema,
  CancelAccepted: cancelAcceptedSchema,
  HistoryRow: historyRowSchema,
  JobEventBody: jobEventBodySchema,
  JobEventAccepted: jobEventAcceptedSchema,
  JobStatusEvent: jobStatusEventSchema,
  JobProgressEvent: jobProgressEventSchema,
  JobChunkEvent: jobChunkEventSchema,
  JobGapEvent: jobGapEventSchema,
  JobStreamEnd: jobStreamEndSchema,
  ApprovalBody: approvalBodySchema,
  ApprovalReceived: approvalReceivedSchema,
  QuarantineQuery: quarantineQuerySchema,
  QuarantineView: quarantineViewSchema,
  RetryJobBody: retryJobBodySchema,
  JobRetried: jobRetriedSchema,
  JobDiscarded: jobDiscardedSchema,
  RetryJobsBody: retryJobsBodySchema,
  DiscardJobsBody: discardJobsBodySchema,
  QuarantineResults: quarantineResultsSchema,
  DeadLetterQuery: deadLetterQuerySchema,
  DeadLettersView: deadLettersViewSchema,
  DeadLetterResent: deadLetterResentSchema,
  GraphQuery: graphQuerySchema,
  PendingTasksQuery: pendingTasksQuerySchema,
  PendingTasksView: pendingTasksViewSchema,
  WorkerView: workerViewSchema,
  CatalogEntry: catalogEntrySchema,
  DrainBody: drainBodySchema,
  WorkerDrained: workerDrainedSchema,
  WorkerEvicted: workerEvictedSchema,
  ServerStatus: serverStatusSchema,
  ErrorBody: errorBodySchema,
  WorkerRegistration: workerRegistrationSchema,
  RegistrationReply: registrationReplySchema,
  PollQuery: pollQuerySchema,
  TaskPayload: taskPayloadSchema,
  TaskBatch: taskBatchSchema,
  TaskResult: taskResultSchema,
  ResultAck: resultAckSchema,
  ResultBatch: resultBatchSchema,
  ResultBatchReply: resultBatchReplySchema,
  TaskAck: taskAckSchema,
  TaskAckReply: taskAckReplySchema,
  HeartbeatMessage: heartbeatSchema,
  HeartbeatReply: heartbeatReplySchema,
  WorkerEvent: workerEventSchema,
  EventReply: eventReplySchema,
  EventBatch: eventBatchSchema,
  EventBatchReply: eventBatchReplySchema,
  TokenResponse: tokenResponseSchema,
  TokenRefresh: tokenRefreshSchema,
  WorkerCommand: workerCommandSchema,
} as const

/** Name of a message. */
export type MessageName = keyof typeof messageSchemas

/** JSON Schema (draft 2020-12) of every message by name, for peers in other languages. */
export function toJsonSchemas(): Record<MessageName, object> {
  const entries = Object.entries(messageSchemas).map(([name, schema]) => [
    name,
    z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' }),
  ])
  // The names come from the very record that the type describes.
  return Object.fromEntries(entries) as Record<MessageName, object>
}
