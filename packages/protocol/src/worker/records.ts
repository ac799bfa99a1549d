import { z } from 'zod'

import { jsonObjectSchema } from '../json.ts'

/** A device of a worker, such as a graphics card. */
export const deviceSchema = z.looseObject({
  type: z.string(),
  model: z.string().nullish(),
  id: z.string().nullish(),
  properties: jsonObjectSchema.nullish(),
  metrics: jsonObjectSchema.nullish(),
})

/** A device of a worker. */
export type Device = z.infer<typeof deviceSchema>

/** What a worker's machine has; each generation fills other fields. */
export const resourcesSchema = z.looseObject({
  max_concurrent_tasks: z.int().positive().nullish(),
  cpu_cores: z.number().nullish(),
  ram_gb: z.number().nullish(),
  gpu_info: jsonObjectSchema.nullish(),
  devices: z.array(deviceSchema).nullish(),
  properties: jsonObjectSchema.nullish(),
})

/** What a worker's machine has. */
export type Resources = z.infer<typeof resourcesSchema>

/** A model or another artifact that a worker has at hand. */
export const artifactSchema = z.looseObject({
  name: z.string(),
  version: z.string().nullish(),
  type: z.string().nullish(),
  properties: jsonObjectSchema.nullish(),
})

/** How busy a worker's machine is. */
export const usageSchema = z.looseObject({
  cpu_load_percent: z.number().nullish(),
  ram_used_gb: z.number().nullish(),
  devices_usage: z.array(jsonObjectSchema).nullish(),
})

/** How busy a worker's machine is. */
export type Usage = z.infer<typeof usageSchema>

/** Facts about a stored file. */
export const fileMetadataSchema = z.looseObject({
  uri: z.string(),
  /** Bytes. */
  size: z.number().nullish(),
  etag: z.string().nullish(),
  metadata: jsonObjectSchema.nullish(),
})

/** Facts about a stored file. */
export type FileMetadata = z.infer<typeof fileMetadataSchema>

/** Who vouches for a message; verified elsewhere. */
export const securitySchema = z.looseObject({
  signature: z.string().nullish(),
  signer_id: z.string().nullish(),
  identity_chain: z.array(z.string()).nullish(),
  metadata: jsonObjectSchema.nullish(),
})
