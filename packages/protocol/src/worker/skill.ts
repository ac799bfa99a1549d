import { z } from 'zod'

import { jsonObjectSchema } from '../json.ts'

// Unlike ids, names of skills had no grammar in the first generation, so only their length is bounded.
const skillNameSchema = z.string().min(1).max(128)

/** What a worker can do, described. Authors' own fields (price, category, …) ride along. */
export const skillSchema = z.looseObject({
  name: skillNameSchema,
  type: z.string().nullish(),
  version: z.string().nullish(),
  description: z.string().nullish(),
  input_schema: jsonObjectSchema.nullish(),
  output_schema: jsonObjectSchema.nullish(),
  /** JSON Schema by name of event. */
  events_schema: jsonObjectSchema.nullish(),
  output_statuses: z.array(z.string()).nullish(),
  /** Our extension. Most tasks of this skill that the worker takes at a time. Default: no such limit. */
  max_concurrent_tasks: z.int().positive().nullish(),
  /** Default `json-schema`. */
  schema_dialect: z.string().nullish(),
  properties: jsonObjectSchema.nullish(),
})

/** What a worker can do, described. */
export type SkillInfo = z.infer<typeof skillSchema>

/** A skill as a bare name (older generations) or described. */
export const skillOrNameSchema = z.union([skillNameSchema, skillSchema])

/** A skill as the engine knows it. */
export interface Skill {
  readonly name: string
  readonly type?: string
  readonly version?: string
  readonly description?: string
  readonly inputSchema?: Record<string, unknown>
  readonly outputSchema?: Record<string, unknown>
  readonly eventsSchema?: Record<string, unknown>
  readonly outputStatuses?: readonly string[]
  /** Most tasks of this skill at a time. */
  readonly maxConcurrentTasks?: number
  readonly properties?: Record<string, unknown>
}

/**
 * Folds names and descriptions into one list. A bare name is dropped when the skill is described
 * as well; of two descriptions with the same name and version the later one counts.
 */
export function normaliseSkills(skills: readonly (string | SkillInfo)[]): Skill[] {
  const described = new Map<string, Skill>()
  for (const skill of skills) {
    if (typeof skill === 'string') continue
    described.set(JSON.stringify([skill.name, skill.version ?? null]), toSkill(skill))
  }
  const known = new Set([...described.values()].map((skill) => skill.name))
  const bare = skills
    .filter((skill) => typeof skill === 'string')
    .filter((name) => !known.has(name))
  return [...[...new Set(bare)].map((name) => ({ name })), ...described.values()]
}

/** The names alone; the hot and available lists are sent as names or as descriptions. */
export function skillNames(skills: readonly (string | SkillInfo)[]): string[] {
  return [...new Set(skills.map((skill) => (typeof skill === 'string' ? skill : skill.name)))]
}

function toSkill(skill: SkillInfo): Skill {
  return {
    name: skill.name,
    ...(skill.type != null && { type: skill.type }),
    ...(skill.version != null && { version: skill.version }),
    ...(skill.description != null && { description: skill.description }),
    ...(skill.input_schema != null && { inputSchema: skill.input_schema }),
    ...(skill.output_schema != null && { outputSchema: skill.output_schema }),
    ...(skill.events_schema != null && { eventsSchema: skill.events_schema }),
    ...(skill.output_statuses != null && { outputStatuses: skill.output_statuses }),
    ...(skill.max_concurrent_tasks != null && { maxConcurrentTasks: skill.max_concurrent_tasks }),
    ...(skill.properties != null && { properties: skill.properties }),
  }
}
