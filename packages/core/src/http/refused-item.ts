/** One message of a batch is refused, and the others are not. */
import { AvtomatikaError, toErrorBody } from '@avtomatika/protocol'
import type { FastifyBaseLogger } from 'fastify'

export type RefusedItem = {
  readonly status: 'error'
  readonly code: string
  readonly message: string
  /** Whether it is worth sending again. */
  readonly retry: boolean
}

export function refusedItem(error: unknown, log: Pick<FastifyBaseLogger, 'error'>): RefusedItem {
  const isOurs = !AvtomatikaError.is(error) || (error.status ?? 500) >= 500
  if (isOurs) log.error({ err: error }, 'a message of a batch could not be taken')
  const { code, error: message } = toErrorBody(error)
  return { status: 'error', code, message, retry: isOurs || error.retry }
}
