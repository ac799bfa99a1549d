// What the answers of an orchestrator mean for the results that were sent.
import { createError, isErrorCode, isJsonObject, type AvtomatikaError } from '@avtomatika/protocol'

import type { Failure, Reply } from './transport.ts'

/** What became of one result. */
export type Verdict =
  /** Answered, perhaps with a reason to ignore it: that is final. */
  | { readonly kind: 'taken'; readonly ignored: string | undefined }
  /** It will never be taken. */
  | { readonly kind: 'refused'; readonly error: AvtomatikaError }
  /** It was not taken this time. */
  | { readonly kind: 'again'; readonly failure: Failure }

const NOT_ABOUT_THE_RESULT: ReadonlySet<number> = new Set([401, 403, 408, 425, 429])

/** An answer that is final: asking again will not help. */
export function isRefusal({ status, body, error }: Failure): boolean {
  if (status === 404) return saysWhy(body) && error.code !== 'WORKER_NOT_FOUND'
  return status !== null && status >= 400 && status < 500 && !NOT_ABOUT_THE_RESULT.has(status)
}

/** What the answer to a result that was sent alone means. */
export function verdictOn(reply: Reply): Verdict {
  if (reply.ok) return taken(reply.body)
  if (isRefusal(reply)) return { kind: 'refused', error: reply.error }
  return { kind: 'again', failure: reply }
}

/**
 * What the answer to several results means for each of them, in their order.
 *
 * @returns `undefined` for an answer that does not say so of every one.
 */
export function verdictsOn(body: unknown, count: number): readonly Verdict[] | undefined {
  const items: unknown = isJsonObject(body) ? body['results'] : undefined
  if (!Array.isArray(items) || items.length !== count) return undefined
  return items.map(verdictOnItem)
}

function verdictOnItem(item: unknown): Verdict {
  if (!isJsonObject(item) || item['status'] !== 'error') return taken(item)
  const { code, message, retry } = item
  const known = isErrorCode(code) ? code : 'UNEXPECTED_RESPONSE'
  const why = typeof message === 'string' ? message : 'The orchestrator did not say why.'
  const error = createError(known, { message: why })
  // About the worker, not about the result: as with one that is sent alone.
  const isFinal = retry !== true && !NOT_ABOUT_THE_RESULT.has(error.status ?? 500)
  if (isFinal) return { kind: 'refused', error }
  return { kind: 'again', failure: { ok: false, status: error.status ?? null, error } }
}

function taken(body: unknown): Verdict {
  const isIgnored = isJsonObject(body) && body['status'] === 'ignored'
  return { kind: 'taken', ignored: isIgnored ? String(body['reason']) : undefined }
}

function saysWhy(body: unknown): boolean {
  return isJsonObject(body) && typeof body['error'] === 'string'
}
