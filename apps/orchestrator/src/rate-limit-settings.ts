/** How often clients and workers may ask, by the names of the Python system. */
import type { RateLimitConfig } from '@avtomatika/core'
import type { VariableReader } from './variable-reader.ts'

const SWITCHES: Readonly<Record<string, boolean>> = { true: true, false: false }
const DAY_SECONDS = 86_400
const LIMIT = { least: 1, most: 1_000_000 }

/** What is not set is left to the engine's defaults. */
export function readRateLimits(read: VariableReader): RateLimitConfig {
  const limit = (name: string): number | undefined =>
    read.find(name) === undefined ? undefined : read.integer(name, { ...LIMIT, fallback: 1 })
  const clientRequests = limit('RATE_LIMIT_LIMIT')
  const heartbeats = limit('RATE_LIMIT_HEARTBEAT_LIMIT')
  const emptyPolls = limit('RATE_LIMIT_POLL_LIMIT')
  return {
    enabled: read.choice('RATE_LIMITING_ENABLED', SWITCHES, true),
    periodMs: read.seconds('RATE_LIMIT_PERIOD', { fallback: 60, most: DAY_SECONDS }),
    ...(clientRequests !== undefined && { clientRequests }),
    ...(heartbeats !== undefined && { heartbeats }),
    ...(emptyPolls !== undefined && { emptyPolls }),
  }
}
