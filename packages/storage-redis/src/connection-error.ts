import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'

/**
 * The error as our client threw it, without the command that it was about: that may hold a password
 * (a refused login is the answer to a command, too) or a document, and errors end up in logs.
 */
export function withoutCommand<T>(error: T): T {
  if (error instanceof Error) Reflect.deleteProperty(error, 'command')
  return error
}

/** What went wrong, in a few words for a log line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A host with several addresses fails once for each, and as a whole without words.
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ')
  }
  // These say how our client works, which helps nobody.
  if (error.name === 'MaxRetriesPerRequestError') return 'the connection broke'
  if (error.message.startsWith('Stream isn')) return 'there is no connection'
  return error.message
}

/**
 * Whether a server refuses to write because it has become a replica. Scripts are told so in the middle of
 * a sentence by servers older than Redis 7.
 */
export function isReadOnly({ message }: Error): boolean {
  return /(^|[\s-])READONLY /.test(message)
}

/** Whether a server refuses the database that a connection is to use. */
function isDatabaseRefused(error: unknown): boolean {
  if (!(error instanceof Error) || !('command' in error)) return false
  const { command } = error
  return (
    typeof command === 'object' &&
    command !== null &&
    'name' in command &&
    command.name === 'select'
  )
}

/**
 * Makes a connection begin anew when the server refuses its database: our client would go on in database
 * 0, which is somebody else's. To be called before anybody takes the command out of errors.
 */
export function insistOnDatabase(redis: Pick<Redis, 'on' | 'disconnect'>): void {
  redis.on('error', (error: unknown) => {
    if (isDatabaseRefused(error)) redis.disconnect(true)
  })
}

/**
 * Keeps a socket's second error from ending the process: our client listens to the first alone, and TLS
 * tells of a refused certificate and of the goodbye that follows it.
 */
export function surviveSecondErrors(redis: Pick<Redis, 'on'>): void {
  let guarded: unknown
  const guard = (): void => {
    // There is none before a name has become an address, whatever the types say.
    const stream: unknown = Reflect.get(redis, 'stream')
    if (stream === guarded || !(stream instanceof EventEmitter)) return
    guarded = stream
    // Whatever comes after the first error, or after the connection is there, ends in a new connection.
    stream.on('error', ignore)
  }
  redis.on('error', guard)
  redis.on('connect', guard)
}

const ignore = (): void => undefined
