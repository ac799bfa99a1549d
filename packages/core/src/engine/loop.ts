/** One loop for all: work, pause until woken or due, back off when it fails, end when asked. */
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'

export interface LoopOptions {
  readonly name: string
  /** Does a round; answers how many ms it may be left alone (0: go on at once). */
  readonly round: () => Promise<number>
  readonly clock: Clock
  readonly log: Log
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 10_000

export class Loop {
  readonly #options: LoopOptions
  #running: Promise<void> | undefined
  #stopping = false
  #woken = false
  #wake: (() => void) | undefined

  constructor(options: LoopOptions) {
    this.#options = options
  }

  /** Starts the loop; a second call changes nothing. */
  start(): void {
    this.#stopping = false
    this.#running ??= this.#run()
  }

  /** Makes the next round begin now, or right after the present one. */
  wake(): void {
    this.#woken = true
    this.#wake?.()
  }

  /** Ends the loop after the present round. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.wake()
    await this.#running
    this.#running = undefined
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#isStopping()) {
      this.#woken = false
      let pauseMs: number
      try {
        pauseMs = await this.#options.round()
        failures = 0
      } catch (error) {
        const { log, name } = this.#options
        pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures)
        failures += 1
        log.error({ err: error, loop: name, retryInMs: pauseMs }, `${name} failed; trying again`)
        // A wake would turn the back-off into a busy loop while storage is away.
        this.#woken = false
      }
      if (pauseMs > 0) await this.#pause(pauseMs)
    }
  }

  // Read through a method: `stop` changes the flag while a round is awaited.
  #isStopping(): boolean {
    return this.#stopping
  }

  #pause(ms: number): Promise<void> {
    if (this.#woken || this.#stopping) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, () => {
        this.#wake?.()
      })
      this.#wake = () => {
        this.#wake = undefined
        cancel()
        resolve()
      }
    })
  }
}
