import { randomUUID } from 'node:crypto'

import { ConfigError } from '@avtomatika/protocol'
import type { Dispatcher } from 'undici'

import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { isHeaderValue } from './header-value.ts'

/** How to reach an orchestrator. */
export interface ClientOptions {
  /** Address of the orchestrator, such as `https://jobs.example.com`; a path in it is kept. */
  readonly url: string | URL
  /** The client token. Never part of an error or a log. */
  readonly token: string
  /** Version segment of the client API. Default `v1`; `null` for an API without versions. */
  readonly apiVersion?: string | null | undefined
  /** Where the client API is mounted. Default `/api`; `''` is the root. */
  readonly prefix?: string | undefined
  /** Until one try must be answered in full, in ms. Default 30 000. A long poll gets its wait on top. */
  readonly timeoutMs?: number | undefined
  /** How often a call that is safe to repeat is tried again. 0 to 10, default 2. */
  readonly retries?: number | undefined
  /** An undici dispatcher (a proxy, an agent with a private CA, …). It stays yours to close. */
  readonly dispatcher?: Dispatcher | undefined
  /** Default: this machine's. */
  readonly clock?: Clock | undefined
  /** 0 (included) to 1; for jitter. Default `Math.random`. */
  readonly random?: (() => number) | undefined
  /** Makes idempotency keys. Default: random UUIDs. */
  readonly newId?: (() => string) | undefined
}

/** {@link ClientOptions}, checked and complete. */
export interface ResolvedClientOptions {
  readonly url: URL
  readonly token: string
  readonly apiVersion: string
  readonly prefix: string
  readonly timeoutMs: number
  readonly retries: number
  readonly dispatcher: Dispatcher | undefined
  readonly clock: Clock
  readonly random: () => number
  readonly newId: () => string
}

const MAX_RETRIES = 10

/** @throws {@link ConfigError} `CONFIG_INVALID`, with the option's name in `details.option`. */
export function resolveClientOptions(options: ClientOptions): ResolvedClientOptions {
  return {
    url: readUrl(options.url),
    token: readToken(options.token),
    apiVersion: readPath(
      'apiVersion',
      options.apiVersion === undefined ? 'v1' : (options.apiVersion ?? ''),
    ),
    prefix: readPath('prefix', options.prefix ?? '/api'),
    timeoutMs: readTimeout(options.timeoutMs ?? 30_000),
    retries: readRetries(options.retries ?? 2),
    dispatcher: options.dispatcher,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    newId: options.newId ?? randomUUID,
  }
}

function readUrl(value: unknown): URL {
  const url = value instanceof URL ? value : URL.parse(String(value))
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw invalid('url', 'must be an http or https address, such as https://jobs.example.com')
  }
  // The value is not repeated: it may hold a password.
  if (url.username !== '' || url.password !== '') {
    throw invalid('url', 'must not hold a user name or password; pass the client token as `token`')
  }
  if (url.search !== '' || url.hash !== '')
    throw invalid('url', 'must not have a query or fragment')
  return url
}

function readToken(value: unknown): string {
  if (typeof value === 'string' && isHeaderValue(value)) return value
  throw invalid('token', 'must be a text of visible ASCII characters; is it set?')
}

function readPath(option: string, value: unknown): string {
  if (typeof value === 'string' && /^[\w~./-]*$/.test(value) && !/(^|\/)\.+(\/|$)/.test(value)) {
    return value
  }
  throw invalid(option, `must be a path of letters, digits and "-._~/", got ${String(value)}`)
}

function readTimeout(value: unknown): number {
  if (typeof value === 'number' && value > 0) return value
  throw invalid('timeoutMs', `must be a number of milliseconds above 0, got ${String(value)}`)
}

function readRetries(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_RETRIES) {
    return value
  }
  throw invalid('retries', `must be a whole number from 0 to ${MAX_RETRIES}, got ${String(value)}`)
}

function invalid(option: string, rule: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', {
    message: `AvtomatikaClient: option \`${option}\` ${rule}.`,
    details: { option },
  })
}
