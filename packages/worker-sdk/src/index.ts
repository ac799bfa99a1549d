// The worker.
export { Worker } from './worker.ts'
export type { WorkerOptions } from './options.ts'
export type { OrchestratorMode, OrchestratorOptions } from './orchestrator-targets.ts'
export type { CommandHandler, ReceivedCommand } from './commands.ts'
export type { SignalHost, StopSignal } from './run-until-signalled.ts'

// What authors of handlers use. `defineTask` is shared with blueprints.
export { defineTask } from '@avtomatika/protocol'
export type { TaskContract, TaskSchemas } from '@avtomatika/protocol'
export type { HandlerReturn, TaskHandler, TaskOptions, ThreadTaskOptions } from './skill.ts'
export type { TaskContext } from './task-context.ts'
export type { ThreadContext } from './pool-thread.ts'
export type { HotCache } from './hot-cache.ts'
export type { TaskMiddleware } from './middleware.ts'
export { ExplicitResult, taskResult } from './task-result.ts'
export type { TaskResultError, TaskResultFields } from './task-result.ts'
export { TaskAborted } from './task-abort.ts'
export type { AbortCause } from './task-abort.ts'
export {
  DependencyError,
  IntegrityError,
  InvalidInputError,
  PermanentError,
  ResourceExhaustedError,
  SecurityError,
  TaskError,
  TimeoutError,
  TransientError,
} from './task-error.ts'
export type { TaskErrorOptions } from './task-error.ts'

// What can be replaced: logger, time, chance, the way to an orchestrator.
export type { WorkerLogger } from './logger.ts'
export type { Clock } from './clock.ts'
export { systemClock } from './clock.ts'
export type { Random } from './backoff.ts'
export type { Environment } from './environment.ts'
export { HttpTransport } from './http-transport.ts'
export type {
  Answer,
  Failure,
  Reply,
  TlsSettings,
  Transport,
  TransportRequest,
  TransportTarget,
} from './transport.ts'
