import { z } from 'zod'

import { skillSchema } from '../worker/skill.ts'

/** A worker as clients see it: no addresses, no secrets. */
export const workerViewSchema = z.looseObject({
  worker_id: z.string(),
  worker_type: z.string(),
  status: z.string(),
  supported_skills: z.array(skillSchema),
  max_concurrent_tasks: z.number(),
  /** Ids of the tasks it holds. */
  current_tasks: z.array(z.string()),
  /** ISO 8601. */
  registered_at: z.string().nullish(),
  /** ISO 8601; the last heartbeat or poll. */
  last_seen_at: z.string().nullish(),
  reputation: z.number().nullish(),
})

/** A worker as clients see it. */
export type WorkerView = z.infer<typeof workerViewSchema>

/** All workers. */
export const workersViewSchema = z.array(workerViewSchema)

/** The answer of the public status path. */
export const serverStatusSchema = z.looseObject({ status: z.string() })

/** The answer of the public status path. */
export type ServerStatus = z.infer<typeof serverStatusSchema>
