/** Where the tokens of workers come from: said once, or read whenever somebody asks. */
import { AvtomatikaError, ConfigError, InputError } from '@avtomatika/protocol'
import { WorkerKeys, type WorkerTokens } from '../http/worker-keys.ts'
import type { Log } from '../ports/log.ts'
import type { Storage } from '../ports/storage.ts'

/** Reads the tokens of workers, from a file for example; called at the start and at each reload. */
export type ReadWorkerTokens = () => WorkerTokens | Promise<WorkerTokens>

export interface WorkerKeySourceOptions {
  readonly tokens: WorkerTokens | ReadWorkerTokens
  /** Tells other orchestrators to read theirs again. */
  readonly storage: Pick<Storage, 'onHint' | 'tell'>
  readonly instanceId: string
  readonly log: Log
}

export class WorkerKeySource {
  /** The tokens that are good now; none before {@link WorkerKeySource.start}, if they are read. */
  readonly keys: WorkerKeys
  readonly #options: WorkerKeySourceOptions
  readonly #read: ReadWorkerTokens | undefined
  #reading: Promise<void> = Promise.resolve()
  #stopListening: (() => void) | undefined

  /** @throws ConfigError `CONFIG_INVALID` for tokens that cannot be used. */
  constructor(options: WorkerKeySourceOptions) {
    const { tokens } = options
    this.#options = options
    this.#read = typeof tokens === 'function' ? tokens : undefined
    this.keys = new WorkerKeys(typeof tokens === 'function' ? {} : tokens)
  }

  /** Reads the tokens, and listens for orchestrators that say that there are others. */
  async start(): Promise<void> {
    const read = this.#read
    if (read === undefined) return
    const { storage, instanceId, log } = this.#options
    // Before the first reading, so that nothing is missed after it.
    this.#stopListening ??= storage.onHint((hint) => {
      if (hint.kind !== 'worker_tokens' || hint.from === instanceId) return
      this.#refresh(read).catch((err: unknown) => {
        log.error({ err }, 'the tokens of workers could not be read again; those read before go on')
      })
    })
    await this.#refresh(read)
  }

  stop(): void {
    this.#stopListening?.()
    this.#stopListening = undefined
  }

  /**
   * Reads the tokens again, here and at all orchestrators on the same storage. What cannot be used changes
   * nothing.
   * @throws InputError `WORKERS_CONFIG_MISSING`, `WORKERS_CONFIG_INVALID`.
   * @throws UnavailableError when the others cannot be told: here, the new tokens are good already.
   */
  async reload(): Promise<void> {
    if (this.#read === undefined) {
      const message = 'WORKERS_CONFIG_PATH is not set, cannot reload configs.'
      throw new InputError('WORKERS_CONFIG_MISSING', { message })
    }
    const { storage, instanceId, log } = this.#options
    try {
      await this.#refresh(this.#read)
    } catch (cause) {
      log.error({ err: cause }, 'the tokens of workers could not be read again')
      const reason = AvtomatikaError.is(cause) ? cause.message : 'The log says why.'
      const message = `The tokens of workers cannot be used; those that were read before go on. ${reason}`
      throw new InputError('WORKERS_CONFIG_INVALID', { message, cause })
    }
    await storage.tell([{ kind: 'worker_tokens', from: instanceId }])
  }

  /** One reading after the other, so that the last one that was asked for is the one that counts. */
  #refresh(read: ReadWorkerTokens): Promise<void> {
    const reading = this.#reading.then(async () => {
      const tokens: unknown = await read()
      if (typeof tokens !== 'object' || tokens === null) {
        const message = 'workerTokens must be, or return, an object with tokens of workers.'
        throw new ConfigError('CONFIG_INVALID', { message })
      }
      this.keys.replace(tokens)
    })
    // Whoever asked is told; the next one is not held up.
    this.#reading = reading.catch(() => undefined)
    return reading
  }
}
