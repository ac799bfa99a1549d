/** Deliveries that were given up, the newest of them, in this process. */
import type { DeadLetter, DeadLetterQuery, Notification } from '../ports/notifier.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import { hostOf } from './post.ts'

/** How a delivery ended. */
export interface GivenUp {
  readonly notification: Notification
  readonly attempts: number
  readonly reason: string
  readonly failedAt: EpochMs
}

/** What is told of a delivery that was given up. */
export function deadLetterOf({ notification, attempts, reason, failedAt }: GivenUp): DeadLetter {
  const { id, jobId, event, url } = notification
  return { id, jobId, event, host: hostOf(url), attempts, reason, failedAt }
}

export class DeadLetters {
  readonly #capacity: number
  /** By notification id, oldest first. */
  readonly #letters = new Map<string, GivenUp>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  add(letter: GivenUp): void {
    this.#letters.set(letter.notification.id, letter)
    const [oldest] = this.#letters.keys()
    if (this.#letters.size > this.#capacity && oldest !== undefined) this.#letters.delete(oldest)
  }

  has(id: string): boolean {
    return this.#letters.has(id)
  }

  list({ ownerId, limit }: DeadLetterQuery): readonly DeadLetter[] {
    const newestFirst = [...this.#letters.values()].reverse()
    return newestFirst
      .filter(({ notification }) => isSeenBy(notification, ownerId))
      .slice(0, limit)
      .map(deadLetterOf)
  }

  /** Hands one out, and forgets it. */
  take(id: string, ownerId?: string): Notification | undefined {
    const notification = this.#letters.get(id)?.notification
    if (notification === undefined || !isSeenBy(notification, ownerId)) return undefined
    this.#letters.delete(id)
    return notification
  }
}

/** Whether a notification is an owner's; without an owner, all are. */
function isSeenBy(notification: Notification, ownerId: string | undefined): boolean {
  return ownerId === undefined || notification.ownerId === ownerId
}
