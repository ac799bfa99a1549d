/** Clients of a cluster, who go on until somebody answers: whoever is asked may be dead right now. */
import { AvtomatikaClient } from '@avtomatika/client'
import { AvtomatikaError } from '@avtomatika/protocol'
import type { HistoryRecord } from '@avtomatika/core'
import type { Cluster } from './cluster.ts'
import { TOKENS } from './program.ts'

/** Creations that are under way at a time. */
const CREATORS = 8

export interface Creation {
  readonly jobs: number
  /** The endpoint of the nth job. */
  readonly endpointOf: (n: number) => string
  readonly onCreated: (jobId: string, n: number) => void
}

export class Callers {
  readonly #cluster: Cluster
  readonly #clients = new Map<string, AvtomatikaClient>()
  readonly #approving = new Set<Promise<void>>()
  #isClosed = false

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Creates jobs, each once however often it is asked for. */
  async create({ jobs, endpointOf, onCreated }: Creation): Promise<void> {
    let next = 0
    const goOn = async (): Promise<void> => {
      while (next < jobs) {
        const n = next++
        const key = { idempotencyKey: `job-${n}` }
        const { jobId } = await this.#insist((client) => client.createJob(endpointOf(n), {}, key))
        onCreated(jobId, n)
      }
    }
    await Promise.all(Array.from({ length: CREATORS }, goOn))
  }

  /** Says yes to what a job asks. */
  approve({ jobId, details }: HistoryRecord): void {
    const decision = { decision: 'yes', approvalId: String(details?.['approvalId']) }
    const approving = this.#insist((client) => client.approve(jobId, decision))
      // A try whose answer was lost may have been the one that counts.
      .catch((error: unknown) => {
        if (!AvtomatikaError.is(error)) throw error
      })
      .finally(() => this.#approving.delete(approving))
    this.#approving.add(approving)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#clients.values()].map((client) => client.close()))
    await Promise.all(this.#approving)
  }

  async #insist<T>(work: (client: AvtomatikaClient) => Promise<T>): Promise<T> {
    for (;;) {
      const client = this.#client(await this.#cluster.url())
      try {
        return await work(client)
      } catch (error) {
        if (this.#isClosed || !AvtomatikaError.is(error) || !error.retry) throw error
      }
    }
  }

  #client(url: string): AvtomatikaClient {
    const client = this.#clients.get(url) ?? new AvtomatikaClient({ url, token: TOKENS.client })
    this.#clients.set(url, client)
    return client
  }
}
