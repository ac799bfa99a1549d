import type { HistoryRecord } from '../job/effect.ts'

/** Where the rows of jobs' histories end up. */
export interface History {
  /** Keeps rows; a row whose `eventId` is known already changes nothing. */
  append(records: readonly HistoryRecord[]): Promise<void>
  /** Rows of one job, oldest first: by version, then in the order of their delivery. */
  ofJob(jobId: string): Promise<readonly HistoryRecord[]>
  close(): Promise<void>
}
