/** Whether requests can be served now: whether the store answers, and in time. */
import { AvtomatikaError } from '@avtomatika/protocol'
import type { EngineParts } from './engine-parts.ts'

/** Sending work here is of use, or is not, and why. */
export type Readiness =
  { readonly isReady: true } | { readonly isReady: false; readonly reason: string }

/** Whoever asks whether we are ready asks again soon, and gives up soon. */
const LIMIT_MS = 2_000

export class ReadinessCheck {
  readonly #parts: Pick<EngineParts, 'storage' | 'clock' | 'log'>
  #running: Promise<Readiness> | undefined

  constructor(parts: Pick<EngineParts, 'storage' | 'clock' | 'log'>) {
    this.#parts = parts
  }

  /** Asks the store; those who want to know at the same time share one question. */
  run(): Promise<Readiness> {
    this.#running ??= this.#ask().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #ask(): Promise<Readiness> {
    const { clock, storage } = this.#parts
    let cancel = (): void => undefined
    const limit = new Promise<Readiness>((resolve) => {
      const reason = `The storage did not answer within ${LIMIT_MS} ms.`
      cancel = clock.after(LIMIT_MS, () => {
        resolve({ isReady: false, reason })
      })
    })
    const answer = storage.ping().then(
      (): Readiness => ({ isReady: true }),
      (error: unknown) => this.#refusal(error),
    )
    try {
      return await Promise.race([answer, limit])
    } finally {
      cancel()
    }
  }

  /** Anybody may ask, so that only what we wrote ourselves is told; the rest is logged. */
  #refusal(error: unknown): Readiness {
    if (AvtomatikaError.is(error)) return { isReady: false, reason: error.message }
    this.#parts.log.error({ err: error }, 'the storage could not be asked whether it is there')
    return { isReady: false, reason: 'The storage cannot be reached.' }
  }
}
