import { z } from 'zod'

import { identifierSchema } from '../identifiers.ts'
import { isJsonObject, jsonObjectSchema } from '../json.ts'
import { parseRequest } from '../parse-request.ts'
import { parseWorkerStatus } from '../status.ts'
import type { WorkerStatus } from '../status.ts'
import { knownFeatures } from './features.ts'
import type { WorkerFeature } from './features.ts'
import { artifactSchema, resourcesSchema, securitySchema } from './records.ts'
import type { Resources } from './records.ts'
import { normaliseSkills, skillNames, skillOrNameSchema } from './skill.ts'
import type { Skill } from './skill.ts'

/** Slots of a worker that does not say how many it has: the default of the Python SDK. */
export const DEFAULT_MAX_CONCURRENT_TASKS = 10

const costPerSkillSchema = z.record(z.string(), z.number())

/** A worker's machine and abilities besides its skills. */
export const capabilitiesSchema = z.looseObject({
  hostname: z.string().nullish(),
  ip_address: z.string().nullish(),
  cost_per_skill: costPerSkillSchema.nullish(),
  s3_config_hash: z.string().nullish(),
  websockets: z.boolean().nullish(),
  extra: jsonObjectSchema.nullish(),
})

/** What a worker says when it comes, in the words of any generation. */
export const workerRegistrationSchema = z.looseObject({
  worker_id: identifierSchema,
  worker_type: z.string().nullish(),
  status: z.string().nullish(),
  /** First generation. */
  supported_tasks: z.array(skillOrNameSchema).nullish(),
  supported_skills: z.array(skillOrNameSchema).nullish(),
  available_skills: z.array(skillOrNameSchema).nullish(),
  hot_skills: z.array(skillOrNameSchema).nullish(),
  skills_hash: z.string().nullish(),
  max_concurrent_tasks: z.int().positive().nullish(),
  resources: resourcesSchema.nullish(),
  capabilities: capabilitiesSchema.nullish(),
  installed_software: jsonObjectSchema.nullish(),
  installed_models: z.array(z.union([z.string(), artifactSchema])).nullish(),
  installed_artifacts: z.array(artifactSchema).nullish(),
  hostname: z.string().nullish(),
  ip_address: z.string().nullish(),
  /** First generation: per second, or by skill. */
  cost: z.union([z.number(), costPerSkillSchema]).nullish(),
  cost_per_second: z.number().nullish(),
  /** Our extension. What the worker understands beyond the older generations. */
  features: z.array(z.string()).nullish(),
  security: securitySchema.nullish(),
  metadata: jsonObjectSchema.nullish(),
  timestamp: z.number().nullish(),
})

/** What a worker says when it comes, in the words of any generation. */
export type WorkerRegistration = z.infer<typeof workerRegistrationSchema>

/** A model or another artifact that a worker has at hand. */
export interface InstalledModel {
  readonly name: string
  /** `unknown` when the worker does not say. */
  readonly version: string
  readonly type?: string
  readonly properties?: Record<string, unknown>
}

/** A worker's registration, whatever generation sent it. */
export interface Registration {
  readonly workerId: string
  /** Default `generic`. */
  readonly workerType: string
  readonly skills: readonly Skill[]
  /** Skills that can be started now; absent = all of them. */
  readonly availableSkills?: readonly string[]
  /** Skills whose models are loaded. */
  readonly hotSkills: readonly string[]
  readonly skillsHash?: string
  /** Default {@link DEFAULT_MAX_CONCURRENT_TASKS}. */
  readonly maxConcurrentTasks: number
  readonly resources: Resources
  readonly installedSoftware: Record<string, unknown>
  readonly installedModels: readonly InstalledModel[]
  readonly capabilities: RegisteredCapabilities
  readonly status: WorkerStatus
  /** Those that we know of what it understands beyond the older generations. */
  readonly features: readonly WorkerFeature[]
  /** The message as it was sent, unknown fields included. */
  readonly raw: WorkerRegistration
}

/** {@link Registration.capabilities}. */
export interface RegisteredCapabilities {
  /** Default `unknown`. */
  readonly hostname: string
  readonly ipAddress?: string
  readonly costPerSkill: Record<string, number>
  /** For skills without a cost of their own. */
  readonly costPerSecond?: number
  readonly s3ConfigHash?: string
  /** Whether commands may be sent over a WebSocket. */
  readonly websockets: boolean
  readonly extra: Record<string, unknown>
}

/** The answer to a registration. */
export const registrationReplySchema = z.looseObject({
  status: z.string(),
  /** The orchestrator's protocol version. */
  version: z.string().nullish(),
  warning: z.string().nullish(),
  /** Our extension. Those of the worker's features that may be used here. */
  features: z.array(z.string()).nullish(),
})

/** The answer to a registration. */
export type RegistrationReply = z.infer<typeof registrationReplySchema>

/**
 * Reads a registration of any generation.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when `worker_id` is missing or a type is wrong.
 */
export function normaliseRegistration(body: unknown): Registration {
  const raw = parseRequest(workerRegistrationSchema, body, 'worker registration')
  return {
    workerId: raw.worker_id,
    workerType: raw.worker_type ?? 'generic',
    skills: normaliseSkills([...(raw.supported_tasks ?? []), ...(raw.supported_skills ?? [])]),
    ...(raw.available_skills != null && { availableSkills: skillNames(raw.available_skills) }),
    hotSkills: skillNames(raw.hot_skills ?? []),
    ...(raw.skills_hash != null && { skillsHash: raw.skills_hash }),
    maxConcurrentTasks: readMaxConcurrentTasks(raw),
    resources: raw.resources ?? {},
    installedSoftware: raw.installed_software ?? {},
    installedModels: readModels(raw),
    capabilities: readCapabilities(raw),
    status: parseWorkerStatus(raw.status),
    features: knownFeatures(raw.features ?? []),
    raw,
  }
}

function readMaxConcurrentTasks(raw: WorkerRegistration): number {
  const property = raw.resources?.properties?.['max_concurrent_tasks']
  return (
    raw.max_concurrent_tasks ??
    raw.resources?.max_concurrent_tasks ??
    (Number.isSafeInteger(property) && Number(property) > 0 ? Number(property) : undefined) ??
    DEFAULT_MAX_CONCURRENT_TASKS
  )
}

function readModels(raw: WorkerRegistration): InstalledModel[] {
  return [...(raw.installed_models ?? []), ...(raw.installed_artifacts ?? [])].map((model) => {
    if (typeof model === 'string') return { name: model, version: 'unknown' }
    return {
      name: model.name,
      version: model.version ?? 'unknown',
      ...(model.type != null && { type: model.type }),
      ...(model.properties != null && { properties: model.properties }),
    }
  })
}

function readCapabilities(raw: WorkerRegistration): RegisteredCapabilities {
  const sent = raw.capabilities ?? {}
  const ipAddress = sent.ip_address ?? raw.ip_address
  const costPerSecond = raw.cost_per_second ?? (typeof raw.cost === 'number' ? raw.cost : undefined)
  const extra = sent.extra ?? {}
  return {
    hostname: sent.hostname ?? raw.hostname ?? 'unknown',
    ...(ipAddress != null && { ipAddress }),
    costPerSkill: { ...(isJsonObject(raw.cost) ? raw.cost : {}), ...sent.cost_per_skill },
    ...(costPerSecond != null && { costPerSecond }),
    ...(sent.s3_config_hash != null && { s3ConfigHash: sent.s3_config_hash }),
    // The flag sits in `extra` in every SDK that sends it, and beside it in the server's own words.
    websockets: sent.websockets === true || extra['websockets'] === true,
    extra,
  }
}
