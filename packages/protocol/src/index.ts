// The rules that every message obeys.
export { PROTOCOL_VERSION, protocolWarning } from './version.ts'
export { HEADERS } from './headers.ts'
export { clientPaths, PATHS } from './paths.ts'
export type { ClientPaths } from './paths.ts'
export { identifierSchema, isIdentifier, MAX_IDENTIFIER_LENGTH } from './identifiers.ts'
export { isDeeperThan, isJsonObject, jsonObjectSchema, MAX_JSON_DEPTH } from './json.ts'
export type { JsonObject, JsonValue } from './json.ts'
export {
  isTerminalJobStatus,
  JOB_STATUSES,
  parseWorkerStatus,
  TERMINAL_JOB_STATUSES,
  WORKER_STATUSES,
} from './status.ts'
export type { JobStatus, TerminalJobStatus, WorkerStatus } from './status.ts'

// Errors.
export { ERROR_CODES, errorCodeInfo, isErrorCode } from './error-codes.ts'
export type { ErrorCode, ErrorCodeInfo, ErrorFamily } from './error-codes.ts'
export { IGNORED_REASONS, TASK_ERROR_CODES, taskErrorSemantics } from './task-error-codes.ts'
export type { IgnoredReason, TaskErrorCode, TaskErrorSemantics } from './task-error-codes.ts'
export {
  AuthError,
  AvtomatikaError,
  BlueprintError,
  ConfigError,
  ConflictError,
  ConnectionError,
  InputError,
  InternalError,
  LimitError,
  NotFoundError,
  TimeoutError,
  UnavailableError,
} from './error.ts'
export type { AvtomatikaErrorOptions, RetryableErrorOptions } from './error.ts'
export {
  codeForStatus,
  createError,
  errorBodySchema,
  errorFromBody,
  errorStatus,
  toErrorBody,
} from './error-body.ts'
export type { ErrorBody } from './error-body.ts'
export { describeIssues, parseReply, parseRequest } from './parse-request.ts'
export type { RequestIssue } from './parse-request.ts'

// Clients and orchestrator.
export {
  createJobEnvelopeSchema,
  jobAcceptedSchema,
  MAX_TIMEOUT_SECONDS,
  parseCreateJobBody,
} from './client/create-job.ts'
export type { CreateJobEnvelope, CreateJobRequest, JobAccepted } from './client/create-job.ts'
export {
  approvalViewSchema,
  branchCountsSchema,
  cancelAcceptedSchema,
  jobErrorSchema,
  jobViewSchema,
  parseJobView,
} from './client/job-view.ts'
export type {
  ApprovalView,
  BranchCounts,
  CancelAccepted,
  JobError,
  JobView,
} from './client/job-view.ts'
export {
  JOB_EVENT_OUTCOMES,
  jobEventAcceptedSchema,
  jobEventBodySchema,
  parseJobEventBody,
} from './client/events.ts'
export type {
  JobEventAccepted,
  JobEventBody,
  JobEventOutcome,
  JobEventRequest,
} from './client/events.ts'
export {
  JOB_STREAM_END_REASONS,
  JOB_STREAM_EVENTS,
  jobChunkEventSchema,
  jobGapEventSchema,
  jobProgressEventSchema,
  jobStatusEventSchema,
  jobStreamEndSchema,
} from './client/job-stream.ts'
export type {
  JobChunkEvent,
  JobGapEvent,
  JobProgressEvent,
  JobStatusEvent,
  JobStreamEnd,
  JobStreamEndReason,
  JobStreamEventName,
} from './client/job-stream.ts'
export { approvalBodySchema, approvalReceivedSchema, parseApprovalBody } from './client/approval.ts'
export type { ApprovalBody, ApprovalReceived, ApprovalRequest } from './client/approval.ts'
export {
  DEFAULT_QUARANTINE_LIMIT,
  discardJobsBodySchema,
  jobDiscardedSchema,
  jobRetriedSchema,
  MAX_QUARANTINE_JOBS,
  parseDiscardJobsBody,
  parseQuarantineQuery,
  parseRetryJobBody,
  parseRetryJobsBody,
  quarantineQuerySchema,
  quarantineResultSchema,
  quarantineResultsSchema,
  quarantineViewSchema,
  retryJobBodySchema,
  retryJobsBodySchema,
} from './client/quarantine.ts'
export type {
  DiscardJobsBody,
  DiscardJobsRequest,
  JobDiscarded,
  JobRetried,
  QuarantineQuery,
  QuarantineResult,
  QuarantineResults,
  QuarantineView,
  RetryJobBody,
  RetryJobRequest,
  RetryJobsBody,
  RetryJobsRequest,
} from './client/quarantine.ts'
export {
  deadLetterQuerySchema,
  deadLetterResentSchema,
  deadLettersViewSchema,
  deadLetterViewSchema,
  DEFAULT_DEAD_LETTER_LIMIT,
  MAX_DEAD_LETTERS,
  parseDeadLetterQuery,
} from './client/dead-letters.ts'
export type {
  DeadLetterQuery,
  DeadLetterResent,
  DeadLettersView,
  DeadLetterView,
} from './client/dead-letters.ts'
export {
  GRAPH_CONTENT_TYPES,
  GRAPH_FORMATS,
  graphQuerySchema,
  parseGraphQuery,
} from './client/graph.ts'
export type { GraphFormat, GraphQuery } from './client/graph.ts'
export { historyRowSchema, jobHistorySchema } from './client/history.ts'
export type { HistoryRow } from './client/history.ts'
export {
  DEFAULT_PENDING_LIMIT,
  MAX_PENDING_TASKS,
  parsePendingTasksQuery,
  pendingReasonSchema,
  pendingTaskSchema,
  pendingTasksQuerySchema,
  pendingTasksViewSchema,
} from './client/pending-tasks.ts'
export type { PendingTask, PendingTasksQuery, PendingTasksView } from './client/pending-tasks.ts'
export {
  catalogEntrySchema,
  drainBodySchema,
  parseDrainBody,
  skillCatalogSchema,
  workerDrainedSchema,
  workerEvictedSchema,
} from './client/fleet.ts'
export type { CatalogEntry, SkillCatalog, WorkerDrained, WorkerEvicted } from './client/fleet.ts'
export { serverStatusSchema, workersViewSchema, workerViewSchema } from './client/workers.ts'
export type { ServerStatus, WorkerView } from './client/workers.ts'

// Workers and orchestrator.
export {
  artifactSchema,
  deviceSchema,
  fileMetadataSchema,
  resourcesSchema,
  securitySchema,
  usageSchema,
} from './worker/records.ts'
export type { Device, FileMetadata, Resources, Usage } from './worker/records.ts'
export { normaliseSkills, skillNames, skillOrNameSchema, skillSchema } from './worker/skill.ts'
export type { Skill, SkillInfo } from './worker/skill.ts'
export {
  capabilitiesSchema,
  DEFAULT_MAX_CONCURRENT_TASKS,
  normaliseRegistration,
  registrationReplySchema,
  workerRegistrationSchema,
} from './worker/register.ts'
export type {
  InstalledModel,
  RegisteredCapabilities,
  Registration,
  RegistrationReply,
  WorkerRegistration,
} from './worker/register.ts'
export { knownFeatures, WORKER_FEATURES } from './worker/features.ts'
export type { WorkerFeature } from './worker/features.ts'
export {
  MAX_ACKNOWLEDGED_TASKS,
  parseTaskAck,
  taskAckReplySchema,
  taskAckSchema,
} from './worker/ack.ts'
export type { TaskAck, TaskAckReply } from './worker/ack.ts'
export {
  cancelledInPoll,
  MAX_POLL_TASKS,
  parsePollQuery,
  parsePollReply,
  pollQuerySchema,
  taskBatchSchema,
} from './worker/poll.ts'
export type { PollQuery, TaskBatch } from './worker/poll.ts'
export { taskPayloadSchema } from './worker/task.ts'
export type { TaskPayload } from './worker/task.ts'
export {
  normaliseResult,
  resultAckSchema,
  taskErrorSchema,
  taskResultSchema,
} from './worker/result.ts'
export type { Result, ResultAck, TaskFailure, TaskResult } from './worker/result.ts'
export {
  batchedAckSchema,
  MAX_BATCHED_RESULTS,
  parseResultBatch,
  resultBatchReplySchema,
  resultBatchSchema,
} from './worker/result-batch.ts'
export type { BatchedAck, ResultBatch, ResultBatchReply } from './worker/result-batch.ts'
export { heartbeatReplySchema, heartbeatSchema, normaliseHeartbeat } from './worker/heartbeat.ts'
export type { Heartbeat, HeartbeatMessage, HeartbeatReply } from './worker/heartbeat.ts'
export {
  eventReplySchema,
  normaliseEvent,
  parseProgress,
  PROGRESS_EVENT,
  progressPayload,
  workerEventSchema,
} from './worker/event.ts'
export type { EventReply, NormalisedEvent, Progress, WorkerEvent } from './worker/event.ts'
export {
  eventBatchReplySchema,
  eventBatchSchema,
  MAX_BATCHED_EVENTS,
  parseEventBatch,
} from './worker/event-batch.ts'
export type { EventBatch, EventBatchReply } from './worker/event-batch.ts'
export { parseStreamChunk, STREAM_EVENT, streamPayload } from './worker/stream.ts'
export type { StreamChunk } from './worker/stream.ts'
export { defineTask } from './task-contract.ts'
export type { TaskContract, TaskSchemas } from './task-contract.ts'
export { canonicalJson } from './canonical-json.ts'
export { canonicalText } from './canonical-text.ts'
export type { CanonicalOptions } from './canonical-json.ts'
export { MAX_CLOCK_DIFFERENCE_SECONDS, signatureOf, unsignedFields } from './worker/signature.ts'
export type { SignatureClaim } from './worker/signature.ts'
export { tokenRefreshSchema, tokenResponseSchema } from './worker/token.ts'
export type { TokenRefresh, TokenResponse } from './worker/token.ts'
export {
  CANCEL_TASK,
  cancelTaskCommand,
  parseCommand,
  workerCommandSchema,
} from './worker/command.ts'
export type { WorkerCommand } from './worker/command.ts'

// The contract for peers in other languages.
export { messageSchemas, toJsonSchemas } from './json-schema.ts'
export type { MessageName } from './json-schema.ts'
