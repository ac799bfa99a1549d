/** Where Redis is, checked once, as our client wants it. Problems are told without passwords. */
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { ConfigError } from '@avtomatika/protocol'
import type { RedisOptions } from 'ioredis'

/** One server, by its address. */
export interface RedisByUrl {
  /** For example `redis://user:password@localhost:6379/0`; `rediss://` for TLS. */
  readonly url: string
  /** Certificates and the like, with `rediss://`. */
  readonly tls?: TlsOptions
}

interface RedisLogin {
  /** Default 0. */
  readonly db?: number
  /** Default: the user that Redis calls `default`. */
  readonly username?: string
  readonly password?: string
  /** `true`: TLS, with the certificates that Node.js trusts. Default `false`. */
  readonly tls?: boolean | TlsOptions
}

/** One server, by the parts of its address. */
export interface RedisByHost extends RedisLogin {
  readonly host: string
  /** Default 6379. */
  readonly port?: number
}

/** Whichever server the sentinels call the master. `tls` holds for the sentinels, too. */
export interface RedisBySentinels extends RedisLogin {
  readonly sentinels: readonly {
    readonly host: string
    /** Default 26379. */
    readonly port?: number
  }[]
  /** What the sentinels call the master. Default `mymaster`. */
  readonly name?: string
  readonly sentinelUsername?: string
  readonly sentinelPassword?: string
}

/** Where Redis is: an address, its parts, or sentinels that know it. */
export type RedisConnectionOptions = RedisByUrl | RedisByHost | RedisBySentinels

const REDIS_PORT = 6379
const SENTINEL_PORT = 26_379
const WAYS = ['url', 'host', 'sentinels'] as const
const HINT =
  'Write redis://user:password@host:6379/0, or rediss:// for TLS, and special characters of a password as %XX; or give host, port, username and password.'

/**
 * What our client needs to find Redis and log in; how it behaves is the caller's business.
 * @throws ConfigError `CONFIG_INVALID` naming what is wrong, never a password.
 */
export function redisOptions(connection: RedisConnectionOptions): RedisOptions {
  // Callers in JavaScript are not held back by types.
  const ways = WAYS.filter((way) => Reflect.get(connection, way) !== undefined)
  if (ways.length !== 1) {
    const given = ways.length === 0 ? 'none of them' : ways.join(' and ')
    throw wrong(`Redis needs exactly one of url, host and sentinels, got ${given}.`)
  }
  if ('url' in connection) return byUrl(connection)
  if ('host' in connection) return byHost(connection)
  return bySentinels(connection)
}

/** Where that is, for people: hosts and ports, no credentials. */
export function placeOf({ host, port, sentinels, name }: RedisOptions): string {
  if (sentinels == null) return addressOf(host, port)
  const all = sentinels.map((each) => addressOf(each.host, each.port))
  return `${name ?? ''} (by sentinels ${all.join(', ')})`
}

function byUrl({ url, tls }: RedisByUrl): RedisOptions {
  const parsed = URL.parse(url)
  if (parsed === null || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw wrong(`The URL of Redis cannot be read. ${HINT}`)
  }
  if (parsed.search !== '' || parsed.hash !== '') {
    throw wrong(`The URL of Redis has something after its path that is not read. ${HINT}`)
  }
  const isTls = parsed.protocol === 'rediss:'
  if (tls !== undefined && !isTls) throw wrong('The options tls need a URL with rediss://.')
  return byHost({
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    ...(parsed.port !== '' && { port: Number(parsed.port) }),
    db: databaseIn(parsed.pathname),
    username: decoded(parsed.username),
    password: decoded(parsed.password),
    tls: isTls && (tls ?? true),
  })
}

function byHost({ host, port = REDIS_PORT, ...login }: RedisByHost): RedisOptions {
  return { ...addressChecked('Redis', { host, port }), ...loginOf(login) }
}

function bySentinels({ sentinels, name = 'mymaster', ...rest }: RedisBySentinels): RedisOptions {
  const { sentinelUsername, sentinelPassword, ...login } = rest
  if (sentinels.length === 0) throw wrong('Redis needs at least one sentinel.')
  if (name === '') throw wrong('The name that the sentinels have for Redis is empty.')
  const options = loginOf(login)
  return {
    ...options,
    name,
    sentinels: sentinels.map(({ host, port = SENTINEL_PORT }) =>
      addressChecked('A sentinel', { host, port }),
    ),
    ...(sentinelUsername && { sentinelUsername }),
    ...(sentinelPassword && { sentinelPassword }),
    ...(options.tls && { enableTLSForSentinelMode: true, sentinelTLS: options.tls }),
  }
}

function loginOf({ db = 0, username, password, tls = false }: RedisLogin): RedisOptions {
  if (!Number.isInteger(db) || db < 0) {
    throw wrong(`The database of Redis must be a whole number from 0, got ${db}.`)
  }
  if (username && !password) throw wrong('Redis has a username but no password.')
  return {
    db,
    ...(username && { username }),
    ...(password && { password }),
    ...(tls !== false && { tls: tls === true ? {} : tls }),
  }
}

function addressChecked(
  who: string,
  { host, port }: { readonly host: string; readonly port: number },
): { host: string; port: number } {
  if (host === '') throw wrong(`${who} has an empty host.`)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return { host, port }
  throw wrong(`The port of ${host} must be a whole number from 1 to 65535, got ${port}.`)
}

function databaseIn(path: string): number {
  const [, db] = /^\/?(\d*)$/.exec(path) ?? []
  if (db === undefined) throw wrong(`The URL of Redis has a path that is no database. ${HINT}`)
  return Number(db)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // Without the cause: it would repeat the password.
    throw wrong(`The URL of Redis has a % in its username or password that is not %XX. ${HINT}`)
  }
}

function addressOf(host = 'localhost', port = REDIS_PORT): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function wrong(message: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', { message })
}
