import type { RateLimits } from '../http/rate-limits.ts'

/**
 * How often clients and workers may ask, per period. Workers are counted by each orchestrator for
 * itself, and only for what brings nothing about, so that the defaults hinder none that works.
 */
export interface RateLimitConfig {
  /** Default true. */
  readonly enabled?: boolean
  /** Default 60 000 ms. */
  readonly periodMs?: number
  /**
   * Requests of one client to one route. Default: as many as it likes. With a limit, requests that
   * create jobs are counted in the storage, for all orchestrators together.
   */
  readonly clientRequests?: number
  /** Polls of one worker that brought it no task. Default 6 000. */
  readonly emptyPolls?: number
  /** Heartbeats of one worker. Default 1 200. */
  readonly heartbeats?: number
  /**
   * Registrations and events of one worker, and results that changed nothing; refused refreshes of tokens
   * from one address. Default 6 000.
   */
  readonly workerMessages?: number
}

const DAY_MS = 86_400_000
const MOST = 1_000_000

const RANGES = {
  periodMs: [1_000, DAY_MS],
  clientRequests: [1, MOST],
  emptyPolls: [1, MOST],
  heartbeats: [1, MOST],
  workerMessages: [1, MOST],
} as const

/** What is wrong with the numbers. */
export function rateLimitProblems(config: RateLimitConfig = {}): readonly string[] {
  return Object.entries(RANGES).flatMap(([name, [least, most]]) => {
    const value = config[name as keyof typeof RANGES]
    if (value === undefined) return []
    if (Number.isInteger(value) && value >= least && value <= most) return []
    const range = `from ${String(least)} to ${String(most)}`
    return [`rateLimits.${name} must be a whole number ${range}, got ${String(value)}`]
  })
}

/** `null`: nobody is limited. */
export function resolveRateLimits(config: RateLimitConfig = {}): RateLimits | null {
  if (config.enabled === false) return null
  return {
    periodMs: config.periodMs ?? 60_000,
    clientRequests: config.clientRequests ?? null,
    emptyPolls: config.emptyPolls ?? 6_000,
    heartbeats: config.heartbeats ?? 1_200,
    workerMessages: config.workerMessages ?? 6_000,
  }
}
