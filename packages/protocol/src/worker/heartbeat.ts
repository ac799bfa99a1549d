import { z } from 'zod'

import { isJsonObject, jsonObjectSchema } from '../json.ts'
import { parseRequest } from '../parse-request.ts'
import { parseWorkerStatus } from '../status.ts'
import type { WorkerStatus } from '../status.ts'
import { resourcesSchema, securitySchema, usageSchema } from './records.ts'
import type { Usage } from './records.ts'
import { normaliseSkills, skillNames, skillOrNameSchema } from './skill.ts'
import type { Skill } from './skill.ts'

/** More than any worker works on at a time; each costs the storage a look. */
const MAX_CURRENT_TASKS = 10_000

/** A worker's sign of life, in the words of any generation. */
export const heartbeatSchema = z.looseObject({
  worker_id: z.string().nullish(),
  status: z.string().nullish(),
  /** Older generations: number of tasks at work. */
  load: z.number().nullish(),
  usage: usageSchema.nullish(),
  /** Ids of the tasks at work; renews exactly their leases. */
  current_tasks: z.array(z.string()).max(MAX_CURRENT_TASKS).nullish(),
  supported_tasks: z.array(skillOrNameSchema).nullish(),
  supported_skills: z.array(skillOrNameSchema).nullish(),
  available_skills: z.array(skillOrNameSchema).nullish(),
  hot_skills: z.array(skillOrNameSchema).nullish(),
  /** Older generations: names of loaded models. */
  hot_cache: z.array(z.string()).nullish(),
  skill_dependencies: jsonObjectSchema.nullish(),
  skills_hash: z.string().nullish(),
  max_concurrent_tasks: z.int().positive().nullish(),
  resources: resourcesSchema.nullish(),
  security: securitySchema.nullish(),
  metadata: jsonObjectSchema.nullish(),
  timestamp: z.number().nullish(),
})

/** A worker's sign of life, in the words of any generation. */
export type HeartbeatMessage = z.infer<typeof heartbeatSchema>

/** A sign of life, whatever generation sent it. Absent = unchanged. */
export interface Heartbeat {
  /** Nothing was said but "I am alive". */
  readonly empty: boolean
  /** The id in the body; the path's id is the one that counts. */
  readonly workerId?: string
  readonly status?: WorkerStatus
  /** Number of tasks at work. */
  readonly load?: number
  readonly usage?: Usage
  /** Ids of the tasks at work; absent = the worker's generation does not list them. */
  readonly currentTasks?: readonly string[]
  readonly skills?: readonly Skill[]
  readonly availableSkills?: readonly string[]
  readonly hotSkills?: readonly string[]
  readonly hotCache?: readonly string[]
  readonly skillsHash?: string
  readonly maxConcurrentTasks?: number
  /** The message as it was sent; absent when empty. */
  readonly raw?: HeartbeatMessage
}

/** The answer to a heartbeat. */
export const heartbeatReplySchema = z.looseObject({
  /** `ok`, or `ttl_refreshed` for an empty heartbeat. */
  status: z.string(),
  /** Ids of *tasks* to abort. */
  cancel_task_ids: z.array(z.string()).nullish(),
  /** The server does not know the worker's skills: send them all with the next heartbeat. */
  require_full_sync: z.boolean().nullish(),
})

/** The answer to a heartbeat. */
export type HeartbeatReply = z.infer<typeof heartbeatReplySchema>

/**
 * Reads a heartbeat of any generation. No body, `{}` and bodies that are not objects are an empty
 * heartbeat, as older servers took them.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when a type is wrong.
 */
export function normaliseHeartbeat(body: unknown): Heartbeat {
  if (!isJsonObject(body) || Object.keys(body).length === 0) return { empty: true }
  const raw = parseRequest(heartbeatSchema, body, 'heartbeat')
  const skills = raw.supported_skills ?? raw.supported_tasks
  const maxConcurrentTasks = raw.max_concurrent_tasks ?? raw.resources?.max_concurrent_tasks
  return {
    empty: false,
    ...(raw.worker_id != null && { workerId: raw.worker_id }),
    ...(raw.status != null && { status: parseWorkerStatus(raw.status) }),
    ...(raw.load != null && { load: raw.load }),
    ...(raw.usage != null && { usage: raw.usage }),
    ...(raw.current_tasks != null && { currentTasks: [...new Set(raw.current_tasks)] }),
    ...(skills != null && { skills: normaliseSkills(skills) }),
    ...(raw.available_skills != null && { availableSkills: skillNames(raw.available_skills) }),
    ...(raw.hot_skills != null && { hotSkills: skillNames(raw.hot_skills) }),
    ...(raw.hot_cache != null && { hotCache: raw.hot_cache }),
    ...(raw.skills_hash != null && { skillsHash: raw.skills_hash }),
    ...(maxConcurrentTasks != null && { maxConcurrentTasks }),
    raw,
  }
}
