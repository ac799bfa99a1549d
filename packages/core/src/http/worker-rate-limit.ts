/**
 * Limits for workers that run in circles. What got something done does not count: a poll that brought
 * a task, or a result that was applied. So no number of tasks is too many for a worker, however quick
 * they are, and however many results it has to hand in at once (D-47).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Hit } from '../ports/limit-store.ts'
import { actingWorker } from './acting-worker.ts'
import { limited, type RateLimitOptions, type RateLimits } from './rate-limits.ts'
import type { WorkerAuth } from './worker-auth.ts'

type Kind = 'emptyPolls' | 'heartbeats' | 'workerMessages'

const KINDS: Readonly<Record<string, Kind>> = { GET: 'emptyPolls', PATCH: 'heartbeats' }

/** Requests that got something done. */
export class UsefulRequests {
  readonly #requests = new WeakSet<FastifyRequest>()

  add(request: FastifyRequest): void {
    this.#requests.add(request)
  }

  has(request: FastifyRequest): boolean {
    return this.#requests.has(request)
  }
}

export interface WorkerLimitOptions {
  readonly rates: RateLimitOptions | null
  readonly auth: WorkerAuth
  /** Told by the routes. */
  readonly useful: UsefulRequests
}

/** Adds routes, limited per worker and kind of message. */
export function withWorkerLimit(
  scope: FastifyInstance,
  { rates, auth, useful }: WorkerLimitOptions,
  routes: (inner: FastifyInstance) => void,
): void {
  if (rates === null) {
    routes(scope)
    return
  }
  const { local, limits, now } = rates
  const { periodMs } = limits
  const keys = new WeakMap<FastifyRequest, string>()
  scope.addHook('onResponse', (request, reply, done) => {
    const key = keys.get(request)
    if (key !== undefined && counts(reply) && !useful.has(request)) {
      local.hit({ key, now: now(), windowMs: periodMs, limit: limitOf(limits, request) })
    }
    done()
  })
  const limiter = {
    // Who it is stands in the body.
    hook: 'preHandler',
    limit: (request: FastifyRequest) => limitOf(limits, request),
    periodMs,
    keyOf: (request: FastifyRequest) => {
      const key = `worker:${actingWorker(request, auth)}:${kindOf(request)}`
      keys.set(request, key)
      return key
    },
    // It is counted when it is known what came of it.
    count: (hit: Hit) => local.peek(hit),
    now,
    hasHeaders: false,
  } as const
  limited(scope, limiter, routes)
}

/**
 * Adds routes for those who come without credentials, limited by the refusals of one address: guesses cost
 * the store a question each, and a fleet behind one address that is let in has no limit.
 */
export function withGuessLimit(
  scope: FastifyInstance,
  rates: RateLimitOptions | null,
  routes: (inner: FastifyInstance) => void,
): void {
  if (rates === null) {
    routes(scope)
    return
  }
  const { local, limits, now } = rates
  const { periodMs, workerMessages: limit } = limits
  const keyOf = ({ ip }: FastifyRequest): string => `guess:${ip}`
  scope.addHook('onResponse', (request, { statusCode }, done) => {
    if (statusCode === 401) {
      local.hit({ key: keyOf(request), now: now(), windowMs: periodMs, limit })
    }
    done()
  })
  const count = (hit: Hit) => local.peek(hit)
  limited(
    scope,
    { hook: 'onRequest', limit, periodMs, keyOf, count, now, hasHeaders: false },
    routes,
  )
}

/** Nobody is to blame for what was refused here, or failed here. */
function counts({ statusCode }: FastifyReply): boolean {
  return statusCode < 500 && statusCode !== 429
}

function kindOf({ method }: FastifyRequest): Kind {
  return KINDS[method] ?? 'workerMessages'
}

function limitOf(limits: RateLimits, request: FastifyRequest): number {
  return limits[kindOf(request)]
}
