import { randomBytes, randomUUID } from 'node:crypto'

/** Where identifiers and chance come from. */
export interface Ids {
  /** A new job id: a UUID, version 4. */
  jobId(): string
  /** A uniform random number in [0, 1). */
  chance(): number
}

export const systemIds: Ids = { jobId: () => randomUUID(), chance: () => Math.random() }

/** A text that nobody can guess: 256 bits, in characters that a header can carry. */
export function systemSecret(): string {
  return randomBytes(32).toString('base64url')
}
