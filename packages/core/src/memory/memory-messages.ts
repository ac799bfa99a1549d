/** Messages between jobs and to the world: oldest first, under a lease, never dropped (S3). */
import type { JobMessage } from '../job/message.ts'
import type { MessageStore } from '../ports/storage.ts'
import { LeasedQueue } from './leased-queue.ts'
import type { Synchronous } from './synchronous.ts'

interface WaitingMessage {
  readonly message: JobMessage
  readonly rank: number
}

export class MemoryMessages implements Synchronous<MessageStore> {
  readonly #messages = new LeasedQueue<WaitingMessage>()

  put(message: JobMessage): void {
    if (this.#messages.find(message.messageId) !== undefined) return
    this.#messages.put(message.messageId, { message, rank: 0 })
  }

  claimMessages(claim: Parameters<MessageStore['claimMessages']>[0]): readonly JobMessage[] {
    return this.#messages.claim(claim).map(({ message }) => message)
  }

  ackMessages(messageIds: readonly string[]): void {
    for (const messageId of messageIds) this.#messages.remove(messageId)
  }
}
