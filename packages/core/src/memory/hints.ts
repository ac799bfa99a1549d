/** Tells listeners about commits, after the commits (never within one). */
import type { Hint } from '../ports/hint.ts'

type Listener = (hint: Hint) => void

export class Hints {
  readonly #listeners = new Set<{ readonly listener: Listener }>()
  readonly #onListenerError: (error: unknown) => void

  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError
  }

  listen(listener: Listener): () => void {
    // An object of its own, so that one function may listen twice and stop once.
    const entry = { listener }
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  /** Calls the listeners when the present turn's work is done; whoever stopped by then is left out. */
  tell(hints: readonly Hint[]): void {
    if (hints.length === 0 || this.#listeners.size === 0) return
    queueMicrotask(() => {
      for (const hint of hints) {
        for (const { listener } of this.#listeners) this.#call(listener, hint)
      }
    })
  }

  stop(): void {
    this.#listeners.clear()
  }

  /** One listener's failure is neither the other listeners' nor the commit's. */
  #call(listener: Listener, hint: Hint): void {
    try {
      listener(hint)
    } catch (error) {
      this.#onListenerError(error)
    }
  }
}
