/** Work with the same key is done one after the other; other work goes on beside it. */
export class Lanes {
  readonly #tails = new Map<string, Promise<unknown>>()

  /** Lanes with work in them. */
  get size(): number {
    return this.#tails.size
  }

  /** Runs `work` when everything before it in its lane has ended, well or not. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key)
    const turn = before === undefined ? work() : before.then(work, work)
    this.#tails.set(key, turn)
    try {
      return await turn
    } finally {
      if (this.#tails.get(key) === turn) this.#tails.delete(key)
    }
  }
}
