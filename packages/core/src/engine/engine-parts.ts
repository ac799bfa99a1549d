import type { Clock } from '../ports/clock.ts'
import type { Ids } from '../ports/ids.ts'
import type { Log } from '../ports/log.ts'
import type { Storage } from '../ports/storage.ts'
import type { JobWriter } from './jobs/job-writer.ts'

/** What every part of an engine works with. */
export interface EngineParts {
  readonly storage: Storage
  readonly writer: JobWriter
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  /** Tells engines on one storage apart; the holder of step leases. */
  readonly instanceId: string
}
