// What a result file promises.  F1 It appears whole or not at all, and before the result is sent.
// F2 It goes when the orchestrator has answered, or refused.  F3 What cannot be read is told and left
// where it is: a person may still need it.
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { ConfigError, taskResultSchema, type TaskResult } from '@avtomatika/protocol'

import { parseJson } from './environment.ts'
import type { WorkerLogger } from './logger.ts'

/** A result as it is sent. */
export interface QueuedResult {
  readonly result: TaskResult
  /** JSON text; the same for each sending. */
  readonly body: string
}

/** Where results survive the process. */
export interface ResultStore {
  /**
   * The results of an earlier process.
   *
   * @throws {@link ConfigError} `CONFIG_INVALID` when the store cannot be used.
   */
  load(): Promise<readonly QueuedResult[]>
  save(queued: QueuedResult): Promise<void>
  /** Does nothing when it is not there. */
  remove(queued: QueuedResult): Promise<void>
}

/** What {@link FileResultStore} needs. */
export interface FileResultStoreOptions {
  readonly directory: string
  readonly workerId: string
  readonly orchestratorUrl: string
  readonly logger: WorkerLogger
}

const SUFFIX = '.json'

/** One file per result, below a directory per worker and orchestrator. */
export class FileResultStore implements ResultStore {
  readonly #root: string
  readonly #directory: string
  readonly #logger: WorkerLogger

  constructor({ directory, workerId, orchestratorUrl, logger }: FileResultStoreOptions) {
    this.#root = directory
    this.#directory = join(directory, workerId, digest(orchestratorUrl))
    this.#logger = logger
  }

  async load(): Promise<readonly QueuedResult[]> {
    try {
      await mkdir(this.#directory, { recursive: true })
      const names = (await readdir(this.#directory)).filter((name) => name.endsWith(SUFFIX))
      const found = await Promise.all(names.map((name) => this.#read(name)))
      return found.filter((queued) => queued !== undefined)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `Results cannot be kept in ${this.#root}: ${why}. Give a directory that the worker may write to.`
      throw new ConfigError('CONFIG_INVALID', { message, cause })
    }
  }

  async save({ body }: QueuedResult): Promise<void> {
    const path = this.#path(body)
    const draft = `${path}.draft`
    const file = await open(draft, 'w', 0o600)
    try {
      await file.writeFile(body)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  }

  async remove({ body }: QueuedResult): Promise<void> {
    await rm(this.#path(body), { force: true })
  }

  /** The same text is the same result, whoever wrote it. */
  #path(body: string): string {
    return join(this.#directory, `${digest(body)}${SUFFIX}`)
  }

  async #read(name: string): Promise<QueuedResult | undefined> {
    const path = join(this.#directory, name)
    const body = await readFile(path, 'utf8')
    const parsed = taskResultSchema.safeParse(parseJson(body))
    if (parsed.success) return { result: parsed.data, body }
    this.#logger.error({ path }, 'this file is not a result that can be sent; it stays where it is')
    return undefined
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
