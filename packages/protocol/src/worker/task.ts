import { z } from 'zod'

import { jsonObjectSchema } from '../json.ts'
import { fileMetadataSchema } from './records.ts'

/** A task as it is handed to a worker. */
export const taskPayloadSchema = z.looseObject({
  job_id: z.string().min(1),
  task_id: z.string().min(1),
  /** Name of the skill. */
  type: z.string().min(1),
  params: jsonObjectSchema.nullish(),
  /** W3C trace context. */
  tracing_context: z.record(z.string(), z.string()).nullish(),
  /** Facts about files, by key of `params`. */
  params_metadata: z.record(z.string(), fileMetadataSchema).nullish(),
  /** Higher goes first. Default 0. */
  priority: z.number().nullish(),
  /** When the result must be there, in seconds since 1970 by the orchestrator's clock. */
  deadline: z.number().nullish(),
  /** Our extension. The same in seconds from now, for a worker whose clock differs. */
  deadline_in: z.number().nonnegative().nullish(),
  security: jsonObjectSchema.nullish(),
  metadata: jsonObjectSchema.nullish(),
  /** When it was handed over, in seconds since 1970. */
  timestamp: z.number().nullish(),
  skill_version: z.string().nullish(),
  skill_type: z.string().nullish(),
  /** Our extension. Which try this is, from 1; to be sent back with the result. */
  attempt: z.int().positive().nullish(),
  /** Our extension. Seconds until the lease ends unless a heartbeat renews it. */
  lease_expires_in: z.number().nonnegative().nullish(),
})

/** A task as it is handed to a worker. */
export type TaskPayload = z.infer<typeof taskPayloadSchema>
