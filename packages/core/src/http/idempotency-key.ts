import { HEADERS, InputError } from '@avtomatika/protocol'
import type { FastifyRequest } from 'fastify'

const MAX_KEY_LENGTH = 255

/**
 * The key that makes a request safe to repeat, if it has one.
 * @throws InputError `INVALID_REQUEST` for an empty key, or one that is too long.
 */
export function idempotencyKeyOf({ headers }: FastifyRequest): string | undefined {
  const key = headers[HEADERS.idempotencyKey]
  if (key === undefined) return undefined
  if (typeof key === 'string' && key !== '' && key.length <= MAX_KEY_LENGTH) return key
  const message = `Idempotency-Key must have 1 to ${String(MAX_KEY_LENGTH)} characters.`
  throw new InputError('INVALID_REQUEST', { message })
}
