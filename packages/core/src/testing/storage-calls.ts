/** Knows when a storage has answered everything that it was asked, so that a test may wait for that. */
import type { Storage } from '../ports/storage.ts'
import { settled as microtasksDone } from './simulated-clock.ts'

export class StorageCalls {
  #underWay = 0
  #onAnswer: (() => void)[] = []

  /** The storage, with its calls counted. */
  watch(storage: Storage): Storage {
    return new Proxy(storage, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: readonly unknown[]) => this.#count(value.apply(target, args))
      },
    })
  }

  /**
   * Resolves when nothing can go on without a timer: no call is under way, and what their answers set
   * going has come to rest.
   */
  async settled(): Promise<void> {
    await microtasksDone()
    while (this.#underWay > 0) {
      await new Promise<void>((resolve) => this.#onAnswer.push(resolve))
      await microtasksDone()
    }
  }

  #count(answer: unknown): unknown {
    return answer instanceof Promise ? this.#await(answer) : answer
  }

  async #await(answer: Promise<unknown>): Promise<unknown> {
    this.#underWay += 1
    try {
      return await answer
    } finally {
      this.#underWay -= 1
      const waiting = this.#onAnswer
      this.#onAnswer = []
      for (const goOn of waiting) goOn()
    }
  }
}
