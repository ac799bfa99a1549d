// THE table of errors: each code once, with the HTTP status it is answered with, the family that
// says who must act, and whether the same call may succeed later without a change by the caller.
// docs/reference/errors.md repeats it for readers; a test compares the two both ways.

/** Who must act; one error class per family. */
export type ErrorFamily =
  | 'config'
  | 'blueprint'
  | 'input'
  | 'auth'
  | 'not_found'
  | 'conflict'
  | 'limit'
  | 'unavailable'
  | 'internal'
  | 'timeout'
  | 'connection'

/** One row of {@link ERROR_CODES}. */
export interface ErrorCodeInfo {
  /** HTTP status, or `null` for errors that have no HTTP answer of their own. */
  readonly status: number | null
  readonly family: ErrorFamily
  /** Whether repeating the same call later can succeed. */
  readonly retry: boolean
}

/** Every code of {@link AvtomatikaError}. */
export const ERROR_CODES = {
  CONFIG_INVALID: { status: null, family: 'config', retry: false },
  BLUEPRINT_INVALID: { status: null, family: 'blueprint', retry: false },
  CONDITION_INVALID: { status: null, family: 'blueprint', retry: false },
  HANDLER_TWO_ACTIONS: { status: null, family: 'blueprint', retry: false },
  HANDLER_NO_ACTION: { status: null, family: 'blueprint', retry: false },
  HANDLER_FAILED: { status: null, family: 'blueprint', retry: true },
  UNKNOWN_STATE: { status: null, family: 'blueprint', retry: false },

  INVALID_JSON: { status: 400, family: 'input', retry: false },
  DECISION_MISSING: { status: 400, family: 'input', retry: false },
  DECISION_INVALID: { status: 400, family: 'input', retry: false },
  WORKERS_CONFIG_MISSING: { status: 400, family: 'input', retry: false },
  WORKERS_CONFIG_INVALID: { status: 400, family: 'input', retry: false },
  METHOD_NOT_ALLOWED: { status: 405, family: 'input', retry: false },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, family: 'input', retry: false },
  INVALID_REQUEST: { status: 422, family: 'input', retry: false },
  INVALID_INPUT: { status: 422, family: 'input', retry: false },
  DATA_NOT_JSON: { status: 422, family: 'input', retry: false },
  DATA_TOO_DEEP: { status: 422, family: 'input', retry: false },

  MISSING_TOKEN: { status: 401, family: 'auth', retry: false },
  INVALID_TOKEN: { status: 401, family: 'auth', retry: false },
  FORBIDDEN: { status: 403, family: 'auth', retry: false },
  WORKER_MISMATCH: { status: 403, family: 'auth', retry: false },
  CERTIFICATE_INVALID: { status: 403, family: 'auth', retry: false },
  SIGNATURE_REQUIRED: { status: 403, family: 'auth', retry: false },
  SIGNATURE_INVALID: { status: 403, family: 'auth', retry: false },
  SIGNATURE_STALE: { status: 403, family: 'auth', retry: false },

  NOT_FOUND: { status: 404, family: 'not_found', retry: false },
  ROUTE_NOT_FOUND: { status: 404, family: 'not_found', retry: false },
  JOB_NOT_FOUND: { status: 404, family: 'not_found', retry: false },
  JOB_ALREADY_TERMINAL: { status: 404, family: 'not_found', retry: false },
  WORKER_NOT_FOUND: { status: 404, family: 'not_found', retry: false },
  BLUEPRINT_NOT_FOUND: { status: 404, family: 'not_found', retry: false },

  CONFLICT: { status: 409, family: 'conflict', retry: false },
  IDEMPOTENCY_CONFLICT: { status: 409, family: 'conflict', retry: false },
  NOT_QUARANTINED: { status: 409, family: 'conflict', retry: false },
  NOT_APPROVABLE: { status: 409, family: 'conflict', retry: false },
  JOB_ENDED: { status: 409, family: 'conflict', retry: false },

  BODY_TOO_LARGE: { status: 413, family: 'limit', retry: false },
  DATA_TOO_LARGE: { status: 413, family: 'limit', retry: false },
  RATE_LIMITED: { status: 429, family: 'limit', retry: true },
  OVERLOADED: { status: 429, family: 'limit', retry: true },
  EVENTS_FULL: { status: 429, family: 'limit', retry: true },
  QUOTA_EXCEEDED: { status: 429, family: 'limit', retry: false },

  UNAVAILABLE: { status: 503, family: 'unavailable', retry: true },
  STORAGE_UNAVAILABLE: { status: 503, family: 'unavailable', retry: true },
  STORAGE_CLOSED: { status: 503, family: 'unavailable', retry: true },
  SHUTTING_DOWN: { status: 503, family: 'unavailable', retry: true },

  INTERNAL: { status: 500, family: 'internal', retry: false },

  WAIT_TIMEOUT: { status: null, family: 'timeout', retry: true },
  CONNECTION_FAILED: { status: null, family: 'connection', retry: true },
  UNEXPECTED_RESPONSE: { status: null, family: 'connection', retry: false },
} as const satisfies Record<string, ErrorCodeInfo>

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES

/** Whether a text is one of our codes; peers may know more, or fewer. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CODES, value)
}

/** The row of a code; the same as `ERROR_CODES[code]`, with the general type. */
export function errorCodeInfo(code: ErrorCode): ErrorCodeInfo {
  return ERROR_CODES[code]
}
