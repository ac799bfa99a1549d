import { TASK_ERROR_CODES } from '@avtomatika/protocol'
import type { JsonValue, TaskErrorCode } from '@avtomatika/protocol'

// Looked up by name, so that two copies of this package recognise each other's errors.
const BRAND = Symbol.for('@avtomatika/task-error')

/** What a task's error may carry besides its message. */
export interface TaskErrorOptions {
  /** Facts for the blueprint; sent as they are: no secrets. */
  readonly details?: JsonValue | undefined
  /** Asks the orchestrator to wait this long before the next try, in ms. */
  readonly retryAfterMs?: number | undefined
  /** The error underneath; logged, never sent. */
  readonly cause?: unknown
}

/** Base of the errors a handler throws to say what shall follow. */
export class TaskError extends Error {
  override readonly name: string = 'TaskError'
  readonly code: TaskErrorCode
  readonly details: JsonValue | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: TaskErrorCode, message: string, options: TaskErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.details = options.details
    this.retryAfterMs = options.retryAfterMs
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Whether a value is one of these errors, also from another copy of this package. */
  static is(value: unknown): value is TaskError {
    return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true
  }
}

/** May succeed when tried again. */
export class TransientError extends TaskError {
  override readonly name = 'TransientError'
  constructor(message: string, options?: TaskErrorOptions) {
    super(TASK_ERROR_CODES.transient, message, options)
  }
}

/** Will not succeed by trying again: the job is set aside for a person. */
export class PermanentError extends TaskError {
  override readonly name = 'PermanentError'
  constructor(message: string, options?: TaskErrorOptions) {
    super(TASK_ERROR_CODES.permanent, message, options)
  }
}

/** The parameters make no sense: the job fails. */
export class InvalidInputError extends TaskError {
  override readonly name = 'InvalidInputError'
  constructor(message: string, options?: TaskErrorOptions) {
    super(TASK_ERROR_CODES.invalidInput, message, options)
  }
}

/** Out of memory, disk or the like; tried again. */
export class ResourceExhaustedError extends TaskError {
  override readonly name = 'ResourceExhaustedError'
  constructor(message: string, options?: TaskErrorOptions) {
    super(TASK_ERROR_CODES.resourceExhausted, message, options)
  }
}

/** Something took too long; tried again. */
export class TimeoutError extends TaskError {
  override readonly name = 'TimeoutError'
  constructor(message: string, options?: TaskErrorOptions) {
    super(TASK_ERROR_CODES.timeout, message, options)
  }
}

/** The task must not be done here: the job is set aside for a person. */
export class SecurityError extends TaskError {
  override readonly name = 'SecurityError'
  constructor(message: string, options?: TaskErrorOptions) {
    super(TASK_ERROR_CODES.security, message, options)
  }
}

/** Something the task needs is broken for good: the job is set aside for a person. */
export class DependencyError extends TaskError {
  override readonly name = 'DependencyError'
  constructor(message: string, options?: TaskErrorOptions) {
    super(TASK_ERROR_CODES.dependency, message, options)
  }
}

/** Data is not what was announced, such as a file's checksum: the job fails. */
export class IntegrityError extends TaskError {
  override readonly name = 'IntegrityError'
  constructor(message: string, options?: TaskErrorOptions) {
    super(TASK_ERROR_CODES.integrityMismatch, message, options)
  }
}

/** A task error from its parts, as they come from a thread. A code that nobody knows means a transient error. */
export function taskErrorOf(
  message: string,
  parts: {
    readonly code: string
    readonly details: unknown
    readonly retryAfterMs: number | undefined
  },
): TaskError {
  const codes: readonly TaskErrorCode[] = Object.values(TASK_ERROR_CODES)
  const code = codes.find((known) => known === parts.code) ?? TASK_ERROR_CODES.transient
  // Checked when the result is written as JSON, like everything that a handler gives.
  const details = parts.details as JsonValue | undefined
  return new TaskError(code, message, { details, retryAfterMs: parts.retryAfterMs })
}
