import { errorCodeInfo } from './error-codes.ts'
import type { ErrorCode, ErrorFamily } from './error-codes.ts'

// The brand is looked up by name, so two copies of this package recognise each other's errors.
const BRAND = Symbol.for('@avtomatika/error')

/** What an error is made of besides its code. */
export interface AvtomatikaErrorOptions {
  /** What is wrong, where, and what to do about it. Shown to callers: no secrets. */
  readonly message: string
  /** Facts for programs; shown to callers as they are. */
  readonly details?: unknown
  /** The error underneath; never shown to callers. */
  readonly cause?: unknown
}

/** {@link AvtomatikaErrorOptions} of errors that pass by themselves. */
export interface RetryableErrorOptions extends AvtomatikaErrorOptions {
  /** When to try again, in ms from now. Default: the caller's own back-off. */
  readonly retryAfterMs?: number | undefined
}

/** Base of all our errors. Check with {@link AvtomatikaError.is} rather than `instanceof`. */
export class AvtomatikaError extends Error {
  override readonly name: string = 'AvtomatikaError'
  readonly code: ErrorCode
  readonly family: ErrorFamily
  /** HTTP status of the code, or `null` when it has none. */
  readonly status: number | null
  /** Whether the same call may succeed later. */
  readonly retry: boolean
  readonly details: unknown

  constructor(code: ErrorCode, options: AvtomatikaErrorOptions) {
    super(options.message, options.cause === undefined ? {} : { cause: options.cause })
    const info = errorCodeInfo(code)
    this.code = code
    this.family = info.family
    this.status = info.status
    this.retry = info.retry
    this.details = options.details
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Whether a value is one of our errors, also from another copy of this package. */
  static is(value: unknown): value is AvtomatikaError {
    return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true
  }
}

/** The operator must change the configuration; start-up only. */
export class ConfigError extends AvtomatikaError {
  override readonly name = 'ConfigError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is ConfigError {
    return isNamed(value, 'ConfigError')
  }
}

/** The author must change a blueprint. */
export class BlueprintError extends AvtomatikaError {
  override readonly name = 'BlueprintError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is BlueprintError {
    return isNamed(value, 'BlueprintError')
  }
}

/** The caller sent something that cannot be used. */
export class InputError extends AvtomatikaError {
  override readonly name = 'InputError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is InputError {
    return isNamed(value, 'InputError')
  }
}

/** The caller is unknown, or may not do this. */
export class AuthError extends AvtomatikaError {
  override readonly name = 'AuthError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is AuthError {
    return isNamed(value, 'AuthError')
  }
}

/** What the caller asks for does not exist, or not for this caller. */
export class NotFoundError extends AvtomatikaError {
  override readonly name = 'NotFoundError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is NotFoundError {
    return isNamed(value, 'NotFoundError')
  }
}

/** The call contradicts something that already happened. */
export class ConflictError extends AvtomatikaError {
  override readonly name = 'ConflictError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is ConflictError {
    return isNamed(value, 'ConflictError')
  }
}

/** The caller asks for too much, or too often. */
export class LimitError extends AvtomatikaError {
  override readonly name = 'LimitError'
  /** When to try again, in ms from when the error was made. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, options: RetryableErrorOptions) {
    super(code, options)
    this.retryAfterMs = options.retryAfterMs
  }

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is LimitError {
    return isNamed(value, 'LimitError')
  }
}

/** A store or a peer is away; nobody has to act. */
export class UnavailableError extends AvtomatikaError {
  override readonly name = 'UnavailableError'
  /** When to try again, in ms from when the error was made. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, options: RetryableErrorOptions) {
    super(code, options)
    this.retryAfterMs = options.retryAfterMs
  }

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is UnavailableError {
    return isNamed(value, 'UnavailableError')
  }
}

/** We broke a promise of our own. */
export class InternalError extends AvtomatikaError {
  override readonly name = 'InternalError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is InternalError {
    return isNamed(value, 'InternalError')
  }
}

/** The caller's patience ended; what was waited for goes on. */
export class TimeoutError extends AvtomatikaError {
  override readonly name = 'TimeoutError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is TimeoutError {
    return isNamed(value, 'TimeoutError')
  }
}

/** The peer could not be reached, or does not speak this contract. */
export class ConnectionError extends AvtomatikaError {
  override readonly name = 'ConnectionError'

  /** Whether a value is an error of this class, also from another copy of this package. */
  static override is(value: unknown): value is ConnectionError {
    return isNamed(value, 'ConnectionError')
  }
}

function isNamed(value: unknown, name: string): boolean {
  return AvtomatikaError.is(value) && value.name === name
}
