/** Events on their way to a job: from clients, from other jobs, from workers. */
import { NotFoundError, type JsonObject } from '@avtomatika/protocol'
import { fitting } from '../../blueprint/option-checks.ts'
import type { BlueprintRegistry } from '../../blueprint/registry.ts'
import type { Decision } from '../../job/decision.ts'
import type { Job } from '../../job/job.ts'
import type { DeliverEventMessage } from '../../job/message.ts'
import type { EngineParts } from '../engine-parts.ts'
import { accepted, assertSize, isFinal } from './refusal.ts'

export interface IncomingEvent {
  readonly jobId: string
  /** Only a job of this owner takes it; left out, any. */
  readonly ownerId?: string | undefined
  /** The same id counts once. */
  readonly eventId: string
  readonly name: string
  readonly data: JsonObject
}

export interface WorkerEvent {
  readonly jobId: string
  readonly taskId: string | null
  readonly workerId: string
  readonly eventId: string
  readonly type: string
  readonly payload: JsonObject
}

/** `received`: the job waited for it. `stored`: it is kept until the job does. */
export type EventFate = 'received' | 'stored' | 'repeated'

export class EventIntake {
  readonly #parts: EngineParts
  readonly #blueprints: BlueprintRegistry
  readonly #maxDataBytes: number

  constructor(parts: EngineParts, blueprints: BlueprintRegistry, maxDataBytes: number) {
    this.#parts = parts
    this.#blueprints = blueprints
    this.#maxDataBytes = maxDataBytes
  }

  /**
   * Hands an event to a job.
   * @throws NotFoundError `JOB_NOT_FOUND`; InputError `INVALID_INPUT` for data that the blueprint's
   *   schema refuses; ConflictError `JOB_ENDED`; LimitError `EVENTS_FULL` or `DATA_TOO_LARGE`.
   */
  async receive({ jobId, ownerId, eventId, name, data }: IncomingEvent): Promise<EventFate> {
    assertSize(data, { what: 'The data of the event', max: this.#maxDataBytes })
    const decision = await this.#parts.writer.apply(jobId, async (job) => {
      const isVisible = ownerId === undefined || job?.owner.clientId === ownerId
      if (job === undefined || !isVisible) {
        throw new NotFoundError('JOB_NOT_FOUND', { message: 'Job not found' })
      }
      const at = this.#parts.clock.now()
      return { kind: 'event_received', at, eventId, name, data: await this.#fit(job, name, data) }
    })
    if (accepted(decision).kind === 'repeated') return 'repeated'
    const isStored =
      decision.kind === 'changed' && decision.job.inbox.some(({ id }) => id === eventId)
    return isStored ? 'stored' : 'received'
  }

  /** Takes what a worker reports about its task; whatever comes of it is an answer, not an error. */
  async reportByWorker(event: WorkerEvent): Promise<Decision> {
    const { jobId, taskId, workerId, eventId, type, payload } = event
    assertSize(payload, { what: 'The payload of the event', max: this.#maxDataBytes })
    return this.#parts.writer.apply(jobId, async (job) => {
      const at = this.#parts.clock.now()
      const fit = job === undefined ? payload : await this.#fit(job, type, payload)
      return { kind: 'worker_event', at, taskId, workerId, eventId, type, payload: fit }
    })
  }

  /** Brings one job's event to another. What the other refuses is told to the log and given up. */
  async deliver(message: DeliverEventMessage): Promise<void> {
    const { to: jobId, ownerId, messageId: eventId, name, data, from } = message
    try {
      await this.receive({ jobId, ownerId, eventId, name, data })
    } catch (error) {
      if (!isFinal(error)) throw error
      const what = { err: error, jobId: from, to: jobId, event: name }
      this.#parts.log.warn(what, 'an event was refused by the job that it was sent to')
    }
  }

  async #fit(job: Job, name: string, data: JsonObject): Promise<JsonObject> {
    const schema = this.#blueprints.find(job.blueprint)?.events.get(name)
    if (schema === undefined) return data
    return fitting(schema, data, { what: `The data of event '${name}' do not fit`, root: 'data' })
  }
}
