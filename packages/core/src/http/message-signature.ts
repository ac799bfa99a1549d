/** Whether a message was signed by the worker that sends it, and just now. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  AuthError,
  canonicalText,
  isJsonObject,
  MAX_CLOCK_DIFFERENCE_SECONDS,
  signatureOf,
  unsignedFields,
  type SignatureClaim,
} from '@avtomatika/protocol'

/** `verify`: a signature that is there must be right. `require`: there must be one. `off`: nobody looks. */
export type SignatureRule = 'verify' | 'require' | 'off'

/** A message as it came. */
export interface SentMessage {
  readonly body: unknown
  /** The text of the body; kept only where there is something to verify. */
  readonly text: string | undefined
  /** Of an event, the signature does not cover everything. */
  readonly kind: 'event' | 'message'
}

export interface SignatureCheck {
  readonly rule: SignatureRule
  readonly workerId: string
  /** What the message may be signed with; with none there is nothing to verify. */
  readonly secrets: readonly string[]
  readonly now: number
}

/**
 * Says nothing about a message that says nothing: those are not signed.
 * @throws AuthError `SIGNATURE_REQUIRED`, `SIGNATURE_INVALID` or `SIGNATURE_STALE`.
 */
export function assertSigned(message: SentMessage, check: SignatureCheck): void {
  const { rule, secrets } = check
  const { body } = message
  if (rule === 'off' || !isJsonObject(body) || Object.keys(body).length === 0) return
  const claim = signatureOf(body)
  if (claim === undefined) {
    if (rule === 'require') throw unsigned()
    return
  }
  if (secrets.length === 0 && rule === 'verify') return
  assertSigner(claim, check.workerId)
  assertSignature(claim, message, secrets)
  assertRecent(claim, check.now)
}

function assertSigner({ signerId }: SignatureClaim, workerId: string): void {
  if (signerId === undefined || signerId === workerId) return
  throw invalid(`The message of worker '${workerId}' is signed by another (security.signer_id).`)
}

function assertSignature(
  { signature }: SignatureClaim,
  { body, text, kind }: SentMessage,
  secrets: readonly string[],
): void {
  const signed = canonicalText(text ?? JSON.stringify(body), { without: unsignedFields(kind) })
  const said = Buffer.from(signature)
  // All of them, whichever fits: how long it takes is to tell nothing.
  const fits = secrets.map((secret) => {
    const right = Buffer.from(createHmac('sha256', secret).update(signed).digest('hex'))
    return said.length === right.length && timingSafeEqual(said, right)
  })
  if (fits.includes(true)) return
  const how =
    'HMAC-SHA256 in hex, with the token that the worker was given, of the canonical JSON of the message without security'
  throw invalid(`The signature is wrong. Expected: ${how}.`)
}

/** Tells the time of nobody but whoever has the secret. */
function assertRecent({ timestamp }: SignatureClaim, now: number): void {
  const most = MAX_CLOCK_DIFFERENCE_SECONDS
  if (timestamp === undefined) {
    const message = 'A signed message says when it was signed: timestamp, in seconds since 1970.'
    throw new AuthError('SIGNATURE_STALE', { message })
  }
  const seconds = Math.round(now / 1000 - timestamp)
  if (Math.abs(seconds) <= most) return
  const where = seconds > 0 ? 'behind' : 'ahead of'
  const difference = Math.abs(seconds)
  const message = `The message was signed at a time that is ${String(difference)} s ${where} this orchestrator's; at most ${String(most)} s are allowed. Set the worker's clock (NTP), or let it go by the Date header of the answers.`
  throw new AuthError('SIGNATURE_STALE', { message, details: { seconds } })
}

function unsigned(): AuthError {
  const message =
    'The message is not signed, and this orchestrator takes only messages that are: send security.signature and timestamp.'
  return new AuthError('SIGNATURE_REQUIRED', { message })
}

function invalid(message: string): AuthError {
  return new AuthError('SIGNATURE_INVALID', { message })
}
