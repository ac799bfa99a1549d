/** Build workflows as state machines, and run them in your own program. */
export { Blueprint } from './blueprint/blueprint.ts'
export type { BlueprintOptions } from './blueprint/blueprint.ts'
export type { StateOptions } from './blueprint/state-draft.ts'
export type {
  Actions,
  ApprovalOptions,
  BranchOptions,
  ChildOptions,
  DispatchByContract,
  DispatchByName,
  DispatchOptions,
  DispatchStrategy,
  EventWaitOptions,
  ParallelOptions,
  RetryOptions,
  SendEventOptions,
  SleepOptions,
  TaskOptions,
} from './blueprint/actions.ts'
export type { BlueprintIssue } from './blueprint/check.ts'
export type {
  BlueprintDefinition,
  ConditionalHandler,
  ScannedHandler,
  StateDefinition,
} from './blueprint/definition.ts'
export type { DataStore } from './blueprint/data-store.ts'
export type {
  AggregationResult,
  ClientInfo,
  Handler,
  HandlerContext,
  Predicate,
} from './blueprint/handler-context.ts'
export { OrchestratorEngine } from './orchestrator/orchestrator-engine.ts'
export type { AnyBlueprint, OrchestratorOptions } from './orchestrator/orchestrator-engine.ts'
export type { OrchestratorConfig } from './orchestrator/config.ts'
export type { RateLimitConfig } from './orchestrator/rate-limit-config.ts'
export type { ClientConfig } from './http/client-auth.ts'
export type { WorkerAuthMode } from './http/worker-auth.ts'
export type { WorkerTokens } from './http/worker-keys.ts'
export type { SignatureRule } from './http/message-signature.ts'
export type { TlsConfig } from './orchestrator/tls-config.ts'
export type { ReadWorkerTokens } from './orchestrator/worker-key-source.ts'
export { MemoryHistory, MemoryScheduler, MemoryStorage } from './memory/index.ts'
export { defineTask } from '@avtomatika/protocol'
export type { TaskContract } from '@avtomatika/protocol'

// What a storage or history adapter implements.
export { classIdOf } from './ports/task-store.ts'
export { hintsOf } from './ports/hints-of.ts'
export type { Hint } from './ports/hint.ts'
export type {
  AuditStore,
  ClaimedStep,
  CommitEntry,
  CommitOutcome,
  DeadlineStore,
  DueDeadline,
  JobStore,
  MessageStore,
  OutboxStore,
  StepStore,
  Storage,
  WakeReasons,
  WorkerChanges,
  WorkerStore,
} from './ports/storage.ts'
export type {
  ClaimedTask,
  HandOver,
  LostTask,
  Reservation,
  TaskClaim,
  TaskClass,
  TaskRenewal,
  TaskStore,
  TypeLimit,
} from './ports/task-store.ts'
export type {
  Hit,
  HitOutcome,
  LimitStore,
  LockGrant,
  LockStore,
  QuotaKey,
  QuotaOutcome,
  QuotaPeriod,
  RateLimit,
} from './ports/limit-store.ts'
export { MAX_TOKENS_PER_WORKER } from './ports/token-store.ts'
export type {
  IssuedToken,
  Rotation,
  TokenFamily,
  TokenPair,
  TokenStore,
} from './ports/token-store.ts'
export { RECOVERY_HALF_MS, REPUTATION_DAYS, reputationDay } from './ports/reputation-store.ts'
export type { Rating, Reputation, ReputationStore } from './ports/reputation-store.ts'
export type { History } from './ports/history.ts'
export type {
  DeadLetter,
  DeadLetterQuery,
  Notification,
  Notifier,
  WebhookCall,
  WebhookVerdict,
} from './ports/notifier.ts'
export type { Plan, Scheduler, Tick, Timing } from './ports/scheduler.ts'
export { nextTickAt } from './ports/ticks.ts'
export { deadLetterOf } from './webhooks/dead-letters.ts'
export {
  createWebhookCall,
  DEFAULT_WEBHOOK_ATTEMPTS,
  WEBHOOK_BACKOFF,
} from './webhooks/webhook-call.ts'
export type { WebhookCallOptions } from './webhooks/webhook-call.ts'
export type { ScheduleConfig } from './engine/schedules/schedules.ts'
export type { Hooks, WorkerEventNotice } from './engine/outgoing/hooks.ts'
export type { Strategy, StrategyChoice, StrategyWorker } from './engine/matching/strategies.ts'
export type { ApprovalAuth } from './http/approval-routes.ts'
export type { JobMessage } from './job/message.ts'
export { systemClock } from './ports/clock.ts'
export type { Clock } from './ports/clock.ts'
export type { Log } from './ports/log.ts'
export type { WorkerRecord, WorkerSkill, WorkerUpdate } from './ports/worker-record.ts'
export type { Effect, HistoryRecord, OfferedTask, RecordType } from './job/effect.ts'
export type { DeadlineKey } from './job/event.ts'
export type { BlueprintRef, Job, JobOwner } from './job/job.ts'
export type { BranchResult, TaskDemand, TaskSpec } from './job/task.ts'
export type { EndOutcome, EpochMs, JobError } from './job/vocabulary.ts'
export type { Approval, ChildReport, ReceivedEvent, Wait } from './job/wait.ts'
export { backoffMs } from './job/retry.ts'
export type { BackoffPolicy } from './job/retry.ts'
