/**
 * Words with the same key are dealt with one batch after the other: what is said in one turn is dealt with
 * together right after it, and what comes meanwhile together after that. Other keys go on beside.
 */

interface Waiting<Word, Answer> {
  readonly word: Word
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** Deals with words in order; answers for each of them, or throws for all. */
export type Deal<Word, Answer> = (
  key: string,
  words: readonly Word[],
) => Promise<readonly PromiseSettledResult<Answer>[]>

/** More words than this are dealt with in several batches. */
const MAX_BATCH = 256

export class Lanes<Word, Answer> {
  readonly #deal: Deal<Word, Answer>
  readonly #lanes = new Map<string, Waiting<Word, Answer>[]>()

  constructor(deal: Deal<Word, Answer>) {
    this.#deal = deal
  }

  /** Lanes with words in them. */
  get size(): number {
    return this.#lanes.size
  }

  say(key: string, word: Word): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const waiting = { word, resolve, reject }
      const lane = this.#lanes.get(key)
      if (lane !== undefined) {
        lane.push(waiting)
        return
      }
      const opened = [waiting]
      this.#lanes.set(key, opened)
      // Fifty results that came in one message are said in one turn.
      queueMicrotask(() => void this.#drain(key, opened))
    })
  }

  /** Never rejects: whoever said a word hears of its failure. */
  async #drain(key: string, lane: Waiting<Word, Answer>[]): Promise<void> {
    while (lane.length > 0) await this.#dealWith(key, lane.splice(0, MAX_BATCH))
    this.#lanes.delete(key)
  }

  async #dealWith(key: string, batch: readonly Waiting<Word, Answer>[]): Promise<void> {
    try {
      const answers = await this.#deal(
        key,
        batch.map(({ word }) => word),
      )
      batch.forEach(({ resolve, reject }, i) => {
        const answer = answers[i]
        if (answer?.status === 'fulfilled') resolve(answer.value)
        else reject(answer?.reason)
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}
