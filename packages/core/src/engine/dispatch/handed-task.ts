import type { OfferedTask } from '../../job/effect.ts'
import type { EpochMs } from '../../job/vocabulary.ts'

/** A task in the hands of a worker. */
export interface HandedTask {
  readonly task: OfferedTask
  /** Unless a heartbeat renews it. */
  readonly leaseExpiresAt: EpochMs
  /** When its result must be there. */
  readonly deadlineAt: EpochMs
}
