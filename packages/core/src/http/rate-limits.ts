/**
 * How often clients and workers may ask. Workers, and clients that read, are counted by each
 * orchestrator for itself: that costs no round trip, and with several orchestrators a caller may ask
 * that many times as often. Only what creates jobs is counted for all of them together.
 */
import {
  fastifyRateLimit,
  type FastifyRateLimitStore,
  type FastifyRateLimitStoreCtor,
  type RateLimitPluginOptions,
} from '@fastify/rate-limit'
import { LimitError } from '@avtomatika/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Hit, HitOutcome, LimitStore } from '../ports/limit-store.ts'

/** Counts per period. */
export interface RateLimits {
  readonly periodMs: number
  /** Requests of one client to one route; `null`: as many as it likes. */
  readonly clientRequests: number | null
  /** Polls of one worker that brought it nothing. */
  readonly emptyPolls: number
  /** Heartbeats of one worker. */
  readonly heartbeats: number
  /** Registrations and events of one worker, and results that changed nothing; refused refreshes of one address. */
  readonly workerMessages: number
}

/** Counters of this process. */
export interface LocalRates {
  hit(hit: Hit): HitOutcome
  /** What a hit would be answered, without counting it. */
  peek(hit: Hit): HitOutcome
}

export interface RateLimitOptions {
  readonly limits: RateLimits
  readonly local: LocalRates
  /** Counters that all orchestrators share. */
  readonly shared: Pick<LimitStore, 'hit'>
  readonly now: () => number
}

/** What is limited in one scope. */
export interface Limiter {
  /** When a request is looked at: before its body is read, or once it is known. */
  readonly hook: 'onRequest' | 'preHandler'
  readonly limit: number | ((request: FastifyRequest) => number)
  readonly periodMs: number
  readonly keyOf: (request: FastifyRequest) => string
  readonly count: (hit: Hit) => HitOutcome | Promise<HitOutcome>
  readonly now: () => number
  /** Whether answers tell how much is left. */
  readonly hasHeaders: boolean
}

/** Limits every route that `routes` adds. */
export function limited(
  scope: FastifyInstance,
  limiter: Limiter,
  routes: (inner: FastifyInstance) => void,
): void {
  scope.register(fastifyRateLimit, pluginOptions(limiter))
  // The plugin adds itself to routes that come after it, and it is there once the next one loads.
  scope.register((inner, _options, done) => {
    routes(inner)
    done()
  })
}

function pluginOptions(limiter: Limiter): RateLimitPluginOptions {
  const { hook, limit, periodMs, keyOf, hasHeaders } = limiter
  const headers = {
    'x-ratelimit-limit': hasHeaders,
    'x-ratelimit-remaining': hasHeaders,
    'x-ratelimit-reset': hasHeaders,
  }
  return {
    hook,
    max: limit,
    timeWindow: periodMs,
    keyGenerator: keyOf,
    store: storeOf(limiter),
    addHeaders: headers,
    addHeadersOnExceeding: headers,
    onExceeded: (request, key) => {
      request.log.debug({ key }, 'asked too often')
    },
    errorResponseBuilder: (_request, { max, ttl }) => tooMany(max, periodMs, ttl),
  }
}

/** What the plugin asks of a store, answered by our counters. */
function storeOf({ count, now }: Limiter): FastifyRateLimitStoreCtor {
  class Counters implements FastifyRateLimitStore {
    incr(
      key: string,
      callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
      windowMs: number,
      limit: number,
    ): void {
      const at = now()
      // A counter that throws, throws: then the request fails.
      void Promise.resolve(count({ key, now: at, windowMs, limit })).then(
        ({ allowed, remaining, nextAt }) => {
          callback(null, { current: allowed ? limit - remaining : limit + 1, ttl: nextAt - at })
        },
        callback,
      )
    }

    child(): this {
      return this
    }
  }
  return Counters
}

function tooMany(limit: number, periodMs: number, waitMs: number): LimitError {
  const rate = `${String(limit)} requests per ${String(periodMs / 1000)} s`
  const message = `Too Many Requests: at most ${rate}. Try again after the pause in Retry-After.`
  return new LimitError('RATE_LIMITED', { message, retryAfterMs: Math.max(1, waitMs) })
}
