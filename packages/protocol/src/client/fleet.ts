import { z } from 'zod'

import { parseRequest } from '../parse-request.ts'
import { skillSchema } from '../worker/skill.ts'

/** What can be had of a skill, and from how many. */
export const catalogEntrySchema = z.looseObject({
  /** As a worker describes it: the one that registered last of those that describe it best. */
  contract: skillSchema,
  /** Workers that offer it. */
  providers_count: z.int().nonnegative(),
  /** Those of them that are given tasks: neither leaving nor distrusted. */
  available_count: z.int().nonnegative(),
  /** Every version that is offered, in order. */
  versions: z.array(z.string()),
  worker_types: z.array(z.string()),
  /** Of one task; `null` when nobody names a price. */
  price: z.looseObject({ min: z.number(), max: z.number() }).nullable(),
  /** From 0 to 1, with four decimals. */
  average_reputation: z.number(),
})

/** What can be had of a skill, and from how many. */
export type CatalogEntry = z.infer<typeof catalogEntrySchema>

/** All skills by name. */
export const skillCatalogSchema = z.record(z.string(), catalogEntrySchema)

/** All skills by name. */
export type SkillCatalog = z.infer<typeof skillCatalogSchema>

/** The body of a wish to drain a worker; may be left out. */
export const drainBodySchema = z.looseObject({
  /** `false` gives it tasks again. Default true. */
  drain: z.boolean().nullish(),
})

/** The answer to a wish to drain a worker, or to drain it no more. */
export const workerDrainedSchema = z.looseObject({
  status: z.enum(['draining', 'active']),
  worker_id: z.string(),
})

/** The answer to a wish to drain a worker, or to drain it no more. */
export type WorkerDrained = z.infer<typeof workerDrainedSchema>

/** The answer when a worker was evicted. */
export const workerEvictedSchema = z.looseObject({
  status: z.literal('evicted'),
  worker_id: z.string(),
})

/** The answer when a worker was evicted. */
export type WorkerEvicted = z.infer<typeof workerEvictedSchema>

/**
 * Reads a wish to drain a worker.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when a type is wrong.
 */
export function parseDrainBody(body: unknown): { readonly drain: boolean } {
  return { drain: parseRequest(drainBodySchema, body ?? {}, 'drain body').drain ?? true }
}
