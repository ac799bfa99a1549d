import { randomUUID } from 'node:crypto'

/** Where identifiers and chance come from. */
export interface Ids {
  /** A new job id: a UUID, version 4. */
  jobId(): string
  /** A uniform random number in [0, 1). */
  chance(): number
}

export const systemIds: Ids = { jobId: () => randomUUID(), chance: () => Math.random() }
