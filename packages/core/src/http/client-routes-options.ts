import type { BlueprintRegistry } from '../blueprint/registry.ts'
import type { ApprovalLinks } from '../engine/jobs/approval-links.ts'
import type { Engine } from '../engine/engine.ts'
import type { Ids } from '../ports/ids.ts'
import type { ClientAuth } from './client-auth.ts'
import type { RateLimitOptions } from './rate-limits.ts'
import type { ReloadWorkers } from './reload-workers-route.ts'

/** What the routes of clients work with. */
export interface ClientRoutesOptions {
  readonly engine: Engine
  readonly blueprints: BlueprintRegistry
  readonly auth: ClientAuth
  readonly links: ApprovalLinks
  /** Where the host has mounted us; empty at its root. */
  readonly mount: string
  readonly ids: Ids
  readonly now: () => number
  /** `null`: nobody is limited. */
  readonly rates: RateLimitOptions | null
  readonly reloadWorkers: ReloadWorkers
}

/** A route of one job. */
export interface JobParams {
  readonly Params: { readonly jobId: string }
}
