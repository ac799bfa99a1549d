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
