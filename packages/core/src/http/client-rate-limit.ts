import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Hit } from '../ports/limit-store.ts'
import type { ClientAuth } from './client-auth.ts'
import { limited, type RateLimitOptions } from './rate-limits.ts'
import { SharedRates } from './shared-rates.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Creates jobs: counted for all orchestrators together. */
    readonly createsJobs?: boolean
  }
}

/** Routes that create jobs are marked with it. */
export const CREATES_JOBS = { config: { createsJobs: true } } as const

const SHARED = 'client:create:'

/**
 * Adds routes, limited per client and route: the pattern of the path, not the path, since each job
 * would have a limit of its own then (D-47); and the client, not its address, which many share.
 */
export function withClientLimit(
  scope: FastifyInstance,
  options: { readonly rates: RateLimitOptions | null; readonly auth: ClientAuth },
  routes: (inner: FastifyInstance) => void,
): void {
  const { rates, auth } = options
  const limit = rates?.limits.clientRequests ?? null
  if (rates === null || limit === null) {
    routes(scope)
    return
  }
  const { local, now } = rates
  const { periodMs } = rates.limits
  const shared = new SharedRates(rates.shared, scope.log)
  const count = (hit: Hit) => (hit.key.startsWith(SHARED) ? shared.hit(hit) : local.hit(hit))
  const keyOf = (request: FastifyRequest): string => {
    const { config, url = '' } = request.routeOptions
    const who = JSON.stringify([auth.callerOf(request).owner.clientId, request.method, url])
    return `${config.createsJobs === true ? SHARED : 'client:'}${who}`
  }
  limited(
    scope,
    { hook: 'onRequest', limit, periodMs, keyOf, count, now, hasHeaders: true },
    routes,
  )
}
