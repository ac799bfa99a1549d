/**
 * One connection to Redis, which finds its way back by itself.
 *
 * C1 What was sent when it broke is not sent again: it may have been done, and the engine decides anew
 *    from what is stored. Whoever waits for an answer is told at once.
 * C2 Nothing is sent later than it was asked for: without a connection a command fails at once.
 * C3 A connection that owes an answer and is silent for {@link SILENCE_MS} is dead, whatever the system
 *    says: it is given up, and a new one is made.
 * C4 Tries go on for ever, at most {@link LONGEST_PAUSE_MS} apart. Each one that fails is told, with
 *    the place and without credentials.
 */
import type { Log } from '@avtomatika/core'
import { Redis, type RedisOptions } from 'ioredis'
import {
  insistOnDatabase,
  isReadOnly,
  reasonOf,
  surviveSecondErrors,
  withoutCommand,
} from './connection-error.ts'
import { placeOf } from './connection-options.ts'

/** What a connection tells of itself. */
export type ConnectionLog = Pick<Log, 'debug' | 'info' | 'warn'>

export interface ConnectionSettings {
  readonly options: RedisOptions
  /** Default: nobody is told. */
  readonly log?: ConnectionLog | undefined
  /** What it is for; `hints` has less to say, as it breaks when the other one does. */
  readonly use: 'commands' | 'hints'
  /** Whether to go on when a try failed. */
  readonly mayRetry: () => boolean
  /** From 0 up to 1. Default: by chance. */
  readonly chance?: () => number
}

/** Longer than a path that takes 2 s each way needs to answer. */
export const SILENCE_MS = 5_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000
const NEXT_ROUND_MS = 10

/** Makes a connection that is not there yet: `connect` begins. */
export function createConnection(settings: ConnectionSettings): Redis {
  const { options, log, use, mayRetry, chance = Math.random } = settings
  const place = placeOf(options)
  const tell = talkative(log, use)
  let reason: string | undefined
  let failures = 0
  const pause = (attempt: number): number | null => {
    if (!mayRetry()) return null
    failures = attempt
    const retryInMs = pauseMs(attempt, chance())
    const why = reason ?? 'the connection was closed'
    reason = undefined
    const fields = { redis: place, use, attempt, retryInMs, reason: why }
    tell.warn(fields, `Redis at ${place} cannot be reached (${why}); trying again`)
    return retryInMs
  }
  // Asked also when all sentinels have been asked once and it is the first one's turn again.
  const sentinelPause = (attempt: number): number | null =>
    reason === undefined && mayRetry() ? NEXT_ROUND_MS : pause(attempt)
  const strategies = { retryStrategy: pause, sentinelRetryStrategy: sentinelPause }
  const redis = new Redis({ ...options, ...BEHAVIOUR, ...strategies })
  const remember = (error: unknown): void => {
    // The first tells most: others follow from it.
    reason ??= reasonOf(withoutCommand(error))
  }
  insistOnDatabase(redis)
  surviveSecondErrors(redis)
  redis.on('error', remember)
  redis.on('sentinelError', remember)
  redis.on('ready', () => {
    if (failures > 0)
      tell.info({ redis: place, use, attempts: failures }, `Redis at ${place} is back`)
    failures = 0
    reason = undefined
  })
  return redis
}

/** How long to leave Redis alone after so many failed tries: doubled each time, less up to half by chance. */
export function pauseMs(attempt: number, chance: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1))
  return Math.round(longest * (1 - chance / 2))
}

const BEHAVIOUR = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  // What listens to hints asks again itself, and sees whether it was heard.
  autoResubscribe: false,
  // As our readers of replies expect them.
  replyMapping: 'legacy',
  commandTimeout: SILENCE_MS,
  socketTimeout: SILENCE_MS,
  connectTimeout: SILENCE_MS,
  sentinelCommandTimeout: SILENCE_MS,
  // A server that says goodbye slowly is not waited for.
  disconnectTimeout: 500,
  // How often to ask a server that is still reading its files.
  maxLoadingRetryTime: 500,
  // A master that was made a replica refuses to write: the sentinels know the new one.
  reconnectOnError: isReadOnly,
} as const satisfies RedisOptions

const ignore = (): void => undefined
const SILENT: ConnectionLog = { debug: ignore, info: ignore, warn: ignore }

function talkative(
  log: ConnectionLog = SILENT,
  use: ConnectionSettings['use'],
): Pick<ConnectionLog, 'info' | 'warn'> {
  const quiet = (fields: object, message: string): void => log.debug(fields, message)
  return use === 'hints' ? { info: quiet, warn: quiet } : log
}
