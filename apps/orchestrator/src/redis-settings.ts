/** Where Redis is, as the operator says it: by a URL, by its parts, or by sentinels. */
import { ConfigError } from '@avtomatika/protocol'
import { redisOptions, type RedisConnectionOptions } from '@avtomatika/storage-redis'
import type { VariableReader } from './variable-reader.ts'

const PORT = { least: 1, most: 65_535 }
const SENTINEL_PORT = 26_379
const SENTINEL_ADDRESS = /^(?<host>[^:@/\s[\]]+|\[[^\]]+\])(?::(?<port>\d{1,5}))?$/
const SWITCHES: Readonly<Record<string, boolean>> = { true: true, false: false }

const LOGIN = ['REDIS_DB', 'REDIS_USERNAME', 'REDIS_PASSWORD', 'REDIS_TLS']
const SENTINEL = ['REDIS_SENTINEL_NAME', 'REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD']

/** Each way to say it, by its main variable, with those that belong to it. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  REDIS_URL: [],
  REDIS_HOST: ['REDIS_PORT', ...LOGIN],
  REDIS_SENTINELS: [...SENTINEL, ...LOGIN],
}
const ALL = new Set(Object.entries(WAYS).flatMap(([main, others]) => [main, ...others]))

/** `undefined` when nothing is set. No message repeats a value that may hold a password. */
export function readRedis(read: VariableReader): RedisConnectionOptions | undefined {
  const set = [...ALL].filter((name) => read.find(name) !== undefined)
  const [way, ...others] = set.filter((name) => name in WAYS)
  if (way === undefined) {
    if (set.length === 0) return undefined
    const needed = Object.keys(WAYS).join(' nor ')
    read.wrong(`${list(set)} set, but neither ${needed}. Say where Redis is.`, undefined)
    return undefined
  }
  const strangers = set.filter((name) => name !== way && !WAYS[way]?.includes(name))
  if (others.length > 0 || strangers.length > 0) {
    const problem = `${way} cannot be used together with ${strangers.join(', ')}. ${adviceFor(way)}`
    read.wrong(problem, undefined)
    return undefined
  }
  return checked(read, { way, connection: connectionOf(read, way) })
}

function connectionOf(read: VariableReader, way: string): RedisConnectionOptions {
  if (way === 'REDIS_URL') return { url: read.text(way, '') }
  if (way === 'REDIS_HOST') {
    const port = read.integer('REDIS_PORT', { fallback: 6379, ...PORT })
    return { host: read.text(way, ''), port, ...loginOf(read) }
  }
  const sentinelUsername = read.find('REDIS_SENTINEL_USERNAME')
  const sentinelPassword = read.find('REDIS_SENTINEL_PASSWORD')
  return {
    sentinels: sentinelsOf(read, way),
    name: read.text('REDIS_SENTINEL_NAME', 'mymaster'),
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...loginOf(read),
  }
}

function loginOf(read: VariableReader): {
  readonly db: number
  readonly tls: boolean
  readonly username?: string
  readonly password?: string
} {
  const username = read.find('REDIS_USERNAME')
  const password = read.find('REDIS_PASSWORD')
  return {
    db: read.integer('REDIS_DB', { fallback: 0, least: 0, most: 1_000_000 }),
    tls: read.choice('REDIS_TLS', SWITCHES, false),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  }
}

function sentinelsOf(
  read: VariableReader,
  name: string,
): readonly { readonly host: string; readonly port: number }[] {
  const parts = read.text(name, '').split(',')
  return parts.map((part, i) => {
    const { host, port } = SENTINEL_ADDRESS.exec(part.trim())?.groups ?? {}
    if (host !== undefined) return { host: bare(host), port: Number(port ?? SENTINEL_PORT) }
    const problem = `${name} must be a list such as sentinel-1:26379,sentinel-2:26379; number ${String(i + 1)} in it is no address.`
    return read.wrong(problem, { host: 'unknown', port: SENTINEL_PORT })
  })
}

/** An IPv6 address, without its brackets. */
function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

/** What is wrong with a value is told with the name of its variable. */
function checked(
  read: VariableReader,
  { way, connection }: { readonly way: string; readonly connection: RedisConnectionOptions },
): RedisConnectionOptions {
  try {
    redisOptions(connection)
    return connection
  } catch (error) {
    if (!ConfigError.is(error)) throw error
    return read.wrong(`${way} cannot be used: ${error.message}`, connection)
  }
}

function adviceFor(way: string): string {
  if (way === 'REDIS_URL') {
    return 'Say all of it in the URL, rediss:// for TLS, or leave REDIS_URL out.'
  }
  return 'Redis is found by a host or by sentinels; decide for one.'
}

function list(names: readonly string[]): string {
  return names.length === 1 ? `${names.join('')} is` : `${names.join(', ')} are`
}
