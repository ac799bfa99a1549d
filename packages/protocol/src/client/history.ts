import { z } from 'zod'

/** One thing that happened to a job. The snapshot never holds tokens or request headers. */
export const historyRowSchema = z.looseObject({
  event_id: z.string(),
  job_id: z.string(),
  /** ISO 8601. */
  timestamp: z.string(),
  event_type: z.string(),
  state: z.string().nullish(),
  previous_state: z.string().nullish(),
  next_state: z.string().nullish(),
  duration_ms: z.number().nullish(),
  worker_id: z.string().nullish(),
  /** From 1. */
  attempt_number: z.number().nullish(),
  context_snapshot: z.unknown().optional(),
})

/** One thing that happened to a job. */
export type HistoryRow = z.infer<typeof historyRowSchema>

/** A job's history, oldest first. */
export const jobHistorySchema = z.array(historyRowSchema)
