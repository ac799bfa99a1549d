/** Whether a server can be trusted with jobs. */
import { ConfigError } from '@avtomatika/protocol'
import type { Log } from '@avtomatika/core'
import type { Redis } from 'ioredis'

/** The first that can do all that our scripts ask for. */
const LEAST = [6, 2] as const

/** @throws ConfigError `CONFIG_INVALID` for a server that is too old. */
export async function checkServer(redis: Redis, log?: Pick<Log, 'debug' | 'warn'>): Promise<void> {
  const version = versionIn(await redis.info('server'))
  if (version !== undefined && isOlder(version)) {
    const message = `Redis ${version} is too old; 6.2 or newer is needed, or Valkey.`
    throw new ConfigError('CONFIG_INVALID', { message })
  }
  const policy = await evictionPolicy(redis, log)
  if (policy === undefined || policy === 'noeviction') return
  log?.warn(
    { policy },
    `Redis throws keys away when its memory is full (maxmemory-policy ${policy}), and jobs with them. Set it to noeviction.`,
  )
}

/** The version that a server says it has; `undefined` if it does not say. Valkey says which Redis it is like. */
export function versionIn(info: string): string | undefined {
  return /^redis_version:(\S+)/m.exec(info)?.[1]
}

/** Whether a version such as `6.0.16` is older than what is needed. */
export function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])
}

/** `undefined` where the server does not tell: hosted ones keep it to themselves. */
async function evictionPolicy(redis: Redis, log?: Pick<Log, 'debug'>): Promise<string | undefined> {
  try {
    const reply = await redis.config('GET', 'maxmemory-policy')
    return Array.isArray(reply) ? String(reply[1]) : undefined
  } catch (error) {
    // A connection that broke is no answer.
    if (!(error instanceof Error) || error.name !== 'ReplyError') throw error
    const reason = error.message
    log?.debug({ reason }, 'Redis does not tell its maxmemory-policy; it should be noeviction')
    return undefined
  }
}
