import type { JsonValue } from '@avtomatika/protocol'

/** What {@link taskResult} takes. */
export interface TaskResultFields<Data> {
  /** `success`, or the name of a transition of the blueprint. */
  readonly status: string
  readonly data?: Data | undefined
  /** For `status: 'failure'`; throwing one of the task errors says the same. */
  readonly error?: TaskResultError | undefined
  /** Facts about the result that are not its data. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** Why a task failed. */
export interface TaskResultError {
  readonly code: string
  readonly message: string
  readonly details?: JsonValue
}

// Looked up by name, so that results of a thread, or of another copy of this package, are recognised.
const BRAND = Symbol.for('@avtomatika/task-result')

/** A result with a status of its own; made by {@link taskResult}. */
export class ExplicitResult<Data = unknown> {
  readonly status: string
  readonly data: Data | undefined
  readonly error: TaskResultError | undefined
  readonly metadata: Readonly<Record<string, unknown>> | undefined

  constructor(fields: TaskResultFields<Data>) {
    this.status = fields.status
    this.data = fields.data
    this.error = fields.error
    this.metadata = fields.metadata
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Whether a value is such a result, also from another copy of this package. */
  static is(value: unknown): value is ExplicitResult {
    return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true
  }
}

/**
 * A result that leads the job along the transition named by its status.
 *
 * @example
 * ```ts
 * return taskResult({ status: 'needs_review', data: { score: 0.4 } })
 * ```
 */
export function taskResult<Data = Record<string, never>>(
  fields: TaskResultFields<Data>,
): ExplicitResult<Data> {
  return new ExplicitResult(fields)
}
