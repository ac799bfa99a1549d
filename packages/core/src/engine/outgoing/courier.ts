/** Brings jobs' messages to other jobs and to the world, at least once each. */
import { UnavailableError } from '@avtomatika/protocol'
import type { JobMessage, StartChildMessage } from '../../job/message.ts'
import { unreachable } from '../../job/unreachable.ts'
import type { DeadLetter, DeadLetterQuery, Notifier } from '../../ports/notifier.ts'
import type { EngineParts } from '../engine-parts.ts'
import type { EventIntake } from '../jobs/event-intake.ts'
import { Loop } from '../loop.ts'

/** A message that could not be delivered is tried again after this long. */
const LEASE_MS = 10_000
const BATCH = 200
const SLOW_TICK_MS = 1_000

export interface CourierOptions {
  /** Makes who calls the webhooks, once per start. */
  readonly notifier: () => Notifier
  readonly events: EventIntake
}

export class Courier {
  readonly #parts: EngineParts
  readonly #options: CourierOptions
  readonly #loop: Loop
  #notifier: Notifier | undefined

  constructor(parts: EngineParts, options: CourierOptions) {
    this.#parts = parts
    this.#options = options
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'courier', clock, log, round: () => this.#round() })
  }

  start(): void {
    this.#notifier ??= this.#options.notifier()
    this.#loop.start()
  }

  wake(): void {
    this.#loop.wake()
  }

  /** Takes no more messages, and lets accepted webhook calls go out. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    const notifier = this.#notifier
    this.#notifier = undefined
    await notifier?.stop()
  }

  /**
   * Webhook calls that were given up, newest first.
   * @throws UnavailableError `SHUTTING_DOWN` when the courier does not run.
   */
  async listDeadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    return this.#running().listDeadLetters(query)
  }

  /**
   * Starts over with a webhook call that was given up; `false` if the owner has no such call.
   * @throws UnavailableError `SHUTTING_DOWN` when the courier does not run.
   */
  async resend(id: string, ownerId?: string): Promise<boolean> {
    return this.#running().resend(id, ownerId)
  }

  #running(): Notifier {
    if (this.#notifier !== undefined) return this.#notifier
    const message = 'No webhooks are delivered now: the server is starting or stopping.'
    throw new UnavailableError('SHUTTING_DOWN', { message })
  }

  async #round(): Promise<number> {
    const { storage, clock } = this.#parts
    const claim = { now: clock.now(), leaseMs: LEASE_MS, limit: BATCH }
    const messages = await storage.claimMessages(claim)
    if (messages.length === 0) return SLOW_TICK_MS
    const delivered = await Promise.all(messages.map((message) => this.#try(message)))
    await storage.ackMessages(delivered.filter((id) => id !== undefined))
    return messages.length === BATCH ? 0 : SLOW_TICK_MS
  }

  /** The id of a message that was delivered; the others come again when their lease runs out. */
  async #try(message: JobMessage): Promise<string | undefined> {
    const { messageId, kind, from } = message
    try {
      await this.#deliver(message)
      return messageId
    } catch (error) {
      const what = { err: error, messageId, kind, jobId: from }
      this.#parts.log.warn(what, 'a message could not be delivered; trying again')
      return undefined
    }
  }

  async #deliver(message: JobMessage): Promise<void> {
    const { writer, clock } = this.#parts
    const at = clock.now()
    switch (message.kind) {
      case 'start_child':
        return this.#startChild(message)
      case 'child_ended':
        await writer.apply(message.to, { kind: 'child_ended', at, report: message.report })
        return
      case 'cancel_job':
        // A child that is not there yet is not cancelled here: whoever makes it looks again.
        await writer.apply(message.to, { kind: 'cancel_requested', at, reason: message.reason })
        return
      case 'deliver_event':
        return this.#options.events.deliver(message)
      case 'notify': {
        const { messageId: id, from: jobId, kind: _kind, ...said } = message
        return this.#running().notify({ id, jobId, ...said })
      }
      default:
        return unreachable(message)
    }
  }

  /**
   * Makes a child, once, and only for a parent that waits for it. The last look catches a parent that
   * ended meanwhile, or while an orchestrator that had made the child was killed: its word to cancel
   * may have come before there was a child.
   */
  async #startChild({ from, job, start }: StartChildMessage): Promise<void> {
    const { writer, clock } = this.#parts
    if (await this.#isAwaited(from, job.id)) {
      await writer.create({ kind: 'created', at: clock.now(), job, start })
    }
    if (await this.#isAwaited(from, job.id)) return
    const reason = `Its parent job ${from} does not wait for it any more.`
    await writer.apply(job.id, { kind: 'cancel_requested', at: clock.now(), reason })
  }

  async #isAwaited(parentId: string, childId: string): Promise<boolean> {
    const parent = await this.#parts.storage.findJob(parentId)
    return parent?.wait?.for === 'child' && parent.wait.childId === childId
  }
}
