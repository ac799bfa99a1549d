/** Why a task is told to stop: the orchestrator cancelled it, its time is up, or the worker stops. */
export type AbortCause = 'cancelled' | 'deadline' | 'shutdown'

const MESSAGES: Readonly<Record<AbortCause, string>> = {
  cancelled: 'The task was cancelled.',
  deadline: 'The deadline of the task has passed.',
  shutdown: 'The worker is shutting down.',
}

/** The reason of an aborted `ctx.signal`; thrown by `signal.throwIfAborted()`. */
export class TaskAborted extends Error {
  override readonly name = 'AbortError'
  readonly why: AbortCause

  constructor(why: AbortCause) {
    super(MESSAGES[why])
    this.why = why
  }
}

/** Why a signal of a task was aborted; `undefined` while it was not. */
export function abortCause(signal: AbortSignal): AbortCause | undefined {
  return signal.reason instanceof TaskAborted ? signal.reason.why : undefined
}
