/**
 * The connections that workers hold open, at most one per worker and of all orchestrators together: the
 * newer one wins (D-51).
 *
 * Every orchestrator hears of new connections in one order. One that is told of before the own
 * connection was is the older one.
 */
import type { ConnectedHint, Withdrawal } from '../../ports/hint.ts'
import type { EngineParts } from '../engine-parts.ts'
import type { Withdrawals } from './withdrawals.ts'

export interface LiveConnection {
  /** Tells the worker to stop working on a task. */
  withdraw(withdrawal: Withdrawal): void
  /** A newer connection of the worker has taken its place. */
  replace(): void
}

interface Held {
  readonly connectionId: string
  readonly connection: LiveConnection
  /** Its own announcement has come round. */
  isAnnounced: boolean
}

export class LiveConnections {
  readonly #parts: Pick<EngineParts, 'storage' | 'ids' | 'log'>
  readonly #held = new Map<string, Held>()

  constructor(parts: Pick<EngineParts, 'storage' | 'ids' | 'log'>, withdrawals: Withdrawals) {
    this.#parts = parts
    withdrawals.onWithdrawn((withdrawal) => {
      this.#held.get(withdrawal.workerId)?.connection.withdraw(withdrawal)
    })
  }

  get size(): number {
    return this.#held.size
  }

  /** Takes a worker's new connection. Returns the way to take note of its end. */
  add(workerId: string, connection: LiveConnection): () => void {
    const connectionId = this.#parts.ids.jobId()
    const older = this.#held.get(workerId)
    this.#held.set(workerId, { connectionId, connection, isAnnounced: false })
    older?.connection.replace()
    this.#announce(workerId, connectionId)
    return () => {
      // The end of an old one is not the new one's.
      if (this.#held.get(workerId)?.connectionId === connectionId) this.#held.delete(workerId)
    }
  }

  /** A connection was opened here or elsewhere. */
  hear({ workerId, connectionId }: ConnectedHint): void {
    const held = this.#held.get(workerId)
    if (held === undefined) return
    if (held.connectionId === connectionId) {
      held.isAnnounced = true
    } else if (held.isAnnounced) {
      this.#held.delete(workerId)
      held.connection.replace()
    }
  }

  #announce(workerId: string, connectionId: string): void {
    const { storage, log } = this.#parts
    storage.tell([{ kind: 'connected', workerId, connectionId }]).catch((error: unknown) => {
      log.warn({ err: error, workerId }, 'the other orchestrators were not told of a connection')
    })
  }
}
