import type { Clock } from './clock.ts'

/** What may end a piece of work early. */
export interface DeadlineOptions {
  readonly clock: Clock
  /** In ms; `Infinity` = no deadline. */
  readonly timeoutMs: number
  /** The error to end with when the time is up. */
  readonly onTimeout: () => Error
  readonly signals: readonly (AbortSignal | undefined)[]
}

/**
 * Runs work that must stop when its time is up or one of the signals is aborted. It is told by the
 * signal it gets and is awaited in any case; the reason for stopping is what is thrown.
 */
export async function withDeadline<T>(
  options: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const scope = new AbortController()
  const timer = new AbortController()
  const unlinks = options.signals.map((signal) => forwardAbort(signal, scope))
  const expiry = expire(options, timer.signal, scope)
  try {
    scope.signal.throwIfAborted()
    return await work(scope.signal)
  } catch (error) {
    scope.signal.throwIfAborted()
    throw error
  } finally {
    for (const unlink of unlinks) unlink()
    timer.abort()
    await expiry
  }
}

// Not AbortSignal.any: the client's own signal lives as long as the client, and would keep a
// dependent signal of every call.
function forwardAbort(from: AbortSignal | undefined, to: AbortController): () => void {
  const forward = (): void => {
    to.abort(from?.reason)
  }
  if (from?.aborted === true) forward()
  from?.addEventListener('abort', forward, { once: true })
  return () => from?.removeEventListener('abort', forward)
}

function expire(
  { clock, timeoutMs, onTimeout }: DeadlineOptions,
  timer: AbortSignal,
  scope: AbortController,
): Promise<void> {
  if (timeoutMs === Infinity) return Promise.resolve()
  return clock.sleep(timeoutMs, timer).then(
    () => {
      scope.abort(onTimeout())
    },
    // Rejected means called off: the work ended first.
    () => undefined,
  )
}
