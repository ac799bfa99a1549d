// Signed messages.  G1 The signature is HMAC-SHA256, in lower-case hex, of the canonical form of the whole
// message without `security`; of an event also without `bubbling_chain`, to which others add.  G2 The key is
// the token that the worker was given, never one that was issued to stand in for it.  G3 `timestamp` says
// when, in whole seconds since 1970, and is signed with the rest.
import { isJsonObject } from '../json.ts'

/** How far the clocks of a worker and an orchestrator may be apart, in seconds. */
export const MAX_CLOCK_DIFFERENCE_SECONDS = 60

/** Fields that the signature does not cover. */
export function unsignedFields(kind: 'event' | 'message'): readonly string[] {
  return kind === 'event' ? ['security', 'bubbling_chain'] : ['security']
}

/** What a message says about its signature. */
export interface SignatureClaim {
  readonly signature: string
  /** Who says to have signed. */
  readonly signerId: string | undefined
  /** When, in seconds since 1970. */
  readonly timestamp: number | undefined
}

/** `undefined` for a message without a signature. */
export function signatureOf(message: unknown): SignatureClaim | undefined {
  const security = isJsonObject(message) ? message['security'] : undefined
  if (!isJsonObject(message) || !isJsonObject(security)) return undefined
  const { signature, signer_id: signerId } = security
  if (signature === undefined || signature === null || signature === '') return undefined
  const { timestamp } = message
  return {
    // What is no text is a signature nevertheless: a wrong one.
    signature: typeof signature === 'string' ? signature : '',
    signerId: signerId === undefined || signerId === null ? undefined : textOf(signerId),
    timestamp: typeof timestamp === 'number' ? timestamp : undefined,
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
