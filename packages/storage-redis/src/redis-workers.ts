/** The registry of workers. */
import { UnavailableError } from '@avtomatika/protocol'
import type { WorkerChanges, WorkerRecord } from '@avtomatika/core'
import type { Call } from './call.ts'
import { decode, encode } from './codec.ts'
import { buffers, texts } from './reply.ts'
import type { Reply } from './script-runner.ts'
import { SCRIPTS } from './scripts.ts'
import type { RedisSession } from './session.ts'

/** Each try means that another orchestrator changed the same worker in between. */
const MAX_TRIES = 20

export class RedisWorkers {
  readonly #session: RedisSession

  constructor(session: RedisSession) {
    this.#session = session
  }

  async putWorker(worker: Call<'putWorker'>): Promise<void> {
    await this.#write(worker, '')
  }

  async updateWorker(update: Call<'updateWorker'>): Promise<WorkerRecord | undefined> {
    const { workerId, now, expiresAt, changes } = update
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const [version, bytes] = await this.#session.ask((redis, keys) =>
        redis.hmgetBuffer(`${keys}worker:${workerId}`, 'v', 'd'),
      )
      const worker = bytes == null ? undefined : decode<WorkerRecord>(bytes)
      if (worker === undefined || worker.expiresAt <= now) return undefined
      const updated = { ...worker, ...changes, lastSeenAt: now, expiresAt }
      if (await this.#write(updated, String(version))) return updated
    }
    const message = `Worker ${workerId} is being changed by too many at once; try again.`
    throw new UnavailableError('STORAGE_UNAVAILABLE', { message })
  }

  async findWorker({ workerId, now }: Call<'findWorker'>): Promise<WorkerRecord | undefined> {
    const bytes = await this.#session.document(`worker:${workerId}`)
    const worker = bytes === null ? undefined : decode<WorkerRecord>(bytes)
    return worker !== undefined && worker.expiresAt > now ? worker : undefined
  }

  async listWorkers({ now }: Call<'listWorkers'>): Promise<readonly WorkerRecord[]> {
    const records = buffers(await this.#session.run(SCRIPTS.listWorkers, now))
    return records.map((bytes) => decode<WorkerRecord>(bytes))
  }

  async removeWorker(workerId: Call<'removeWorker'>): Promise<void> {
    await this.#session.run(SCRIPTS.removeWorker, workerId)
  }

  async changedWorkers({ since, now }: Call<'changedWorkers'>): Promise<WorkerChanges> {
    const reply = await this.#session.run(SCRIPTS.changedWorkers, since ?? '', now)
    const [cursor = null, records = null, removed = null] = Array.isArray(reply)
      ? (reply as readonly Reply[])
      : []
    const workers = buffers(records).map((bytes) => decode<WorkerRecord>(bytes))
    return {
      workers: workers.filter(({ expiresAt }) => expiresAt > now),
      removed: since === undefined ? [] : texts(removed),
      cursor: Buffer.isBuffer(cursor) ? cursor.toString() : '0',
    }
  }

  async #write(worker: WorkerRecord, expected: string): Promise<boolean> {
    const args = [worker.workerId, expected, encode(worker), worker.expiresAt]
    return (await this.#session.run(SCRIPTS.worker, ...args)) === 1
  }
}
