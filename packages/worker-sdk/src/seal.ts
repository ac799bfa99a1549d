// Puts the time and the signature on a message that is otherwise ready. Imports nothing of ours: the heartbeat
// thread, which says what it was given long after, signs as well.
import { createHmac } from 'node:crypto'

/** What signatures are made with; plain data, to be handed to a thread. */
export interface Seal {
  readonly secret: string
  readonly signerId: string
  /** What to add to the clock of this machine to have that of the orchestrator, in ms. */
  readonly shiftMs: number
}

/** Stands where the time goes; canonical JSON has none of these. */
export const TIME_GAP = '\n'

/**
 * The message with its time and signature.
 *
 * @param message - an object in canonical JSON, with {@link TIME_GAP} for the value of `timestamp`.
 * @param now - by the clock of this machine, in ms since 1970.
 */
export function sealed(message: string, { secret, signerId, shiftMs }: Seal, now: number): string {
  const text = message.replace(TIME_GAP, String(Math.floor((now + shiftMs) / 1000)))
  const signature = createHmac('sha256', secret).update(text).digest('hex')
  const security = JSON.stringify({ signature, signer_id: signerId })
  return `${text.slice(0, -1)},"security":${security}}`
}
