/** Where people act on jobs: they approve, let quarantined jobs go on, or give them up. */
import { NotFoundError, type JsonObject } from '@avtomatika/protocol'
import type { BlueprintRegistry } from '../../blueprint/registry.ts'
import type { Job } from '../../job/job.ts'
import type { Approval } from '../../job/wait.ts'
import type { EngineParts } from '../engine-parts.ts'
import { checkedInput } from './job-creation.ts'
import { accepted, assertSize } from './refusal.ts'

export interface DeskOptions {
  readonly blueprints: BlueprintRegistry
  /** Largest data of one decision or patch, in bytes of JSON. */
  readonly maxDataBytes: number
}

export interface Decided {
  readonly jobId: string
  /** The request that is meant; left out, the present one. */
  readonly approvalId?: string | undefined
  readonly approval: Omit<Approval, 'decidedAt'>
}

export class Desk {
  readonly #parts: EngineParts
  readonly #options: DeskOptions

  constructor(parts: EngineParts, options: DeskOptions) {
    this.#parts = parts
    this.#options = options
  }

  /**
   * Takes a person's decision.
   * @throws NotFoundError `JOB_NOT_FOUND`; ConflictError `NOT_APPROVABLE`; InputError
   *   `DECISION_INVALID`; LimitError `DATA_TOO_LARGE`.
   */
  async decide({ jobId, approvalId, approval }: Decided): Promise<void> {
    const max = this.#options.maxDataBytes
    if (approval.data !== null) assertSize(approval.data, { what: "The decision's data", max })
    const { clock, writer } = this.#parts
    const decision = await writer.apply(jobId, (job) => {
      if (job === undefined) throw notFound()
      return {
        kind: 'approval_decided',
        at: clock.now(),
        approvalId: approvalId ?? null,
        approval,
      }
    })
    accepted(decision)
  }

  /**
   * Lets a quarantined job go on from the step that failed.
   * @param data - laid over the job's data first.
   * @throws NotFoundError `JOB_NOT_FOUND`; ConflictError `NOT_QUARANTINED`; InputError
   *   `INVALID_INPUT` for data that the blueprint's schema refuses; LimitError `DATA_TOO_LARGE`.
   */
  async retry(jobId: string, data: JsonObject | null, ownerId?: string): Promise<void> {
    const max = this.#options.maxDataBytes
    if (data !== null) assertSize(data, { what: 'The data of the retry', max })
    const { clock, writer } = this.#parts
    const decision = await writer.apply(jobId, async (job) => {
      if (job === undefined || !isOwn(job.owner.clientId, ownerId)) throw notFound()
      if (data !== null) await this.#checkPatch(job, data)
      return { kind: 'retry_requested', at: clock.now(), data }
    })
    accepted(decision)
  }

  /**
   * A job holds what its schema made of the input. Where the schema does not take that again (it
   * turns texts into numbers), a patch cannot be checked by it either.
   */
  async #checkPatch({ blueprint: ref, initialData }: Job, data: JsonObject): Promise<void> {
    const blueprint = this.#options.blueprints.find(ref)
    const takesItsOwn = await blueprint?.input?.safeParseAsync(initialData)
    if (blueprint === undefined || takesItsOwn?.success !== true) return
    await checkedInput(blueprint, { ...initialData, ...data })
  }

  /**
   * Gives a quarantined job up: it counts as failed, and leaves the quarantine.
   * @throws NotFoundError `JOB_NOT_FOUND`; ConflictError `NOT_QUARANTINED`.
   */
  async discard(jobId: string, ownerId?: string): Promise<void> {
    const { clock, writer } = this.#parts
    const decision = await writer.apply(jobId, (job) => {
      if (job === undefined || !isOwn(job.owner.clientId, ownerId)) throw notFound()
      return { kind: 'discard_requested', at: clock.now() }
    })
    accepted(decision)
  }
}

function isOwn(clientId: string, ownerId: string | undefined): boolean {
  return ownerId === undefined || clientId === ownerId
}

function notFound(): NotFoundError {
  return new NotFoundError('JOB_NOT_FOUND', { message: 'Job not found' })
}
