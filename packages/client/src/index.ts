export { AvtomatikaClient } from './client.ts'
export type { CallOptions, CreatedJob, RunOptions } from './client.ts'
export type { ClientOptions } from './options.ts'
export type { CreateJobOptions } from './create-job.ts'
export type { WaitOptions } from './wait-for-job.ts'
export type { SendEventOptions, SentEvent } from './send-event.ts'
export type { ApproveOptions } from './approve.ts'
export type { QuarantineOptions, QuarantineOutcome, RetryOptions } from './quarantine.ts'
export type { DeadLetter, DeadLetterOptions } from './dead-letters.ts'
export type { GraphOptions } from './graph.ts'
export type { Job, JobFailure } from './job.ts'
export type { JobApproval, JobBranches } from './job-wait.ts'
export type { JobEventsOptions } from './job-events.ts'
export type {
  JobChunk,
  JobEnd,
  JobEvent,
  JobGap,
  JobProgress,
  JobStatusChange,
} from './job-event.ts'
export type { WorkerInfo } from './worker-info.ts'
export type {
  DrainOptions,
  PendingReason,
  PendingTask,
  PendingTaskOptions,
  SkillOffer,
} from './fleet.ts'
export { JobFailedError, resultOf } from './job-failed-error.ts'
export { systemClock } from './clock.ts'
export type { Clock } from './clock.ts'

// What the calls throw, so that callers need no second package to check for it.
export {
  AuthError,
  AvtomatikaError,
  ConfigError,
  ConflictError,
  ConnectionError,
  InputError,
  InternalError,
  isTerminalJobStatus,
  LimitError,
  NotFoundError,
  TimeoutError,
  UnavailableError,
} from '@avtomatika/protocol'
export type { GraphFormat, JobStatus } from '@avtomatika/protocol'
