import {
  deadLetterResentSchema,
  deadLettersViewSchema,
  InputError,
  MAX_DEAD_LETTERS,
  parseReply,
} from '@avtomatika/protocol'

/** Which webhook calls that were given up to list. */
export interface DeadLetterOptions {
  /** Most calls to list, the newest of them. 1 to 1000. Default 100. */
  readonly limit?: number | undefined
  /** Ends the call, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A webhook call that was given up. */
export interface DeadLetter {
  /** What the receiver sees in the header `x-avtomatika-delivery`. */
  readonly id: string
  readonly jobId: string
  /** `job_finished`, `job_failed`, `job_quarantined`, `job_cancelled` or `worker_event:<type>`. */
  readonly event: string
  /** Of the webhook's URL. */
  readonly host: string
  /** How often it was tried. */
  readonly attempts: number
  /** What came of the last attempt. */
  readonly reason: string
  readonly failedAt: Date
}

/**
 * So that a path cannot be left by it.
 * @throws {@link InputError} `INVALID_REQUEST` for what cannot be the id of such a call.
 */
export function checkDeadLetterId(id: string): string {
  if (/^[\w:-]{1,255}$/.test(id)) return id
  throw new InputError('INVALID_REQUEST', {
    message: 'The id of a dead letter may contain only letters, digits, "_", "-" and ":".',
  })
}

/** @throws {@link InputError} when the limit cannot be asked for. */
export function deadLetterQuery({ limit }: DeadLetterOptions): string {
  if (limit === undefined) return ''
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_DEAD_LETTERS) return `?limit=${limit}`
  throw new InputError('INVALID_REQUEST', {
    message: `limit must be a whole number from 1 to ${MAX_DEAD_LETTERS}, got ${String(limit)}.`,
    details: { option: 'limit' },
  })
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not a list of calls. */
export function readDeadLetters(body: unknown): readonly DeadLetter[] {
  const { dead_letters: letters } = parseReply(deadLettersViewSchema, body, 'list of dead letters')
  return letters.map(
    ({ id, job_id: jobId, event, host, attempts, reason, failed_at: failedAt }) => ({
      id,
      jobId,
      event,
      host,
      attempts,
      reason,
      failedAt: new Date(failedAt),
    }),
  )
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not the answer to a resend. */
export function checkResent(body: unknown): void {
  parseReply(deadLetterResentSchema, body, 'resent webhook call')
}
