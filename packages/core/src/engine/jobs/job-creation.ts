/** Accepting jobs: checked input, one job per idempotency key. */
import { createHash } from 'node:crypto'
import {
  ConflictError,
  LimitError,
  NotFoundError,
  UnavailableError,
  type JsonObject,
} from '@avtomatika/protocol'
import type { ChildOrder } from '../../blueprint/action-options.ts'
import { startTarget, type BlueprintDefinition } from '../../blueprint/definition.ts'
import { fitting } from '../../blueprint/option-checks.ts'
import type { BlueprintRegistry } from '../../blueprint/registry.ts'
import { toJsonObject } from '../../json/to-json.ts'
import type { ChildSpec, CreatedEvent } from '../../job/event.ts'
import type { JobOwner } from '../../job/job.ts'
import type { CommitEntry, CommitOutcome } from '../../ports/storage.ts'
import { AttemptQuota } from './attempt-quota.ts'
import type { EngineParts } from '../engine-parts.ts'
import { assertSize } from './refusal.ts'

export interface NewJobRequest {
  readonly blueprint: BlueprintDefinition
  readonly initialData: unknown
  readonly owner: JobOwner
  readonly tracing?: Readonly<Record<string, string>>
  readonly metadata?: JsonObject
  readonly webhookUrl?: string | undefined
  readonly dispatchTimeoutMs?: number | undefined
  readonly resultTimeoutMs?: number | undefined
  /** The whole job must have ended by then. Default: as its blueprint says. */
  readonly jobTimeoutMs?: number | undefined
  /** The same key from the same owner creates one job, however often it is sent. */
  readonly idempotencyKey?: string | undefined
  /** Jobs that the owner may create in a calendar month. Default: as many as it likes. */
  readonly monthlyAttempts?: number | undefined
}

export interface JobCreationOptions {
  readonly parts: EngineParts
  readonly blueprints: BlueprintRegistry
  readonly idempotencyTtlMs: number
  /** Largest initial data that a client may send, in bytes of JSON. */
  readonly maxDataBytes: number
}

export class JobCreation {
  readonly #options: JobCreationOptions
  readonly #quota: AttemptQuota

  constructor(options: JobCreationOptions) {
    this.#options = options
    this.#quota = new AttemptQuota(options.parts)
  }

  async create(request: NewJobRequest): Promise<{ readonly jobId: string }> {
    const { clock, writer } = this.#options.parts
    const job = await this.#jobOf(request)
    const at = clock.now()
    const idempotency = this.#idempotency(request, at)
    const attempt = await this.#quota.take(request.owner.clientId, request.monthlyAttempts)
    // Also without an attempt left, a repeated request is told of the job that it created.
    if (LimitError.is(attempt)) return this.#repeated(idempotency, attempt)
    const event = { kind: 'created', at, job, start: startTarget(request.blueprint) } as const
    let outcome: CommitOutcome | undefined
    try {
      outcome = await writer.create(event, idempotency)
    } finally {
      if (outcome?.kind !== 'committed') await attempt.giveBack()
    }
    if (outcome.kind === 'duplicate') return sameJob(outcome, idempotency?.fingerprint)
    if (outcome.kind === 'committed') return { jobId: job.id }
    const message = `The id ${job.id} is taken by another job; create the job again.`
    throw new UnavailableError('STORAGE_UNAVAILABLE', { message })
  }

  async #jobOf(request: NewJobRequest): Promise<CreatedEvent['job']> {
    const { blueprint, owner } = request
    const initialData = await checkedInput(blueprint, request.initialData)
    const max = this.#options.maxDataBytes
    assertSize(initialData, { what: 'The initial data', max })
    assertSize(request.metadata ?? {}, { what: 'The metadata', max })
    return {
      id: this.#options.parts.ids.jobId(),
      blueprint: blueprint.ref,
      initialData,
      owner,
      tracing: request.tracing ?? {},
      metadata: request.metadata ?? {},
      webhookUrl: request.webhookUrl ?? null,
      parentId: null,
      depth: 0,
      dispatchTimeoutMs: request.dispatchTimeoutMs ?? null,
      resultTimeoutMs: request.resultTimeoutMs ?? null,
      timeoutMs: request.jobTimeoutMs ?? blueprint.timeoutMs,
    }
  }

  async #repeated(
    idempotency: CommitEntry['idempotency'],
    refusal: LimitError,
  ): Promise<{ readonly jobId: string }> {
    const created = idempotency && (await this.#options.parts.storage.findCreated(idempotency))
    if (created === undefined) throw refusal
    return sameJob(created, idempotency?.fingerprint)
  }

  /**
   * What a child is made from.
   * @throws NotFoundError `BLUEPRINT_NOT_FOUND` naming the blueprint that is missing (D-36).
   * @throws InputError `INVALID_INPUT` when the input does not match the blueprint's schema.
   */
  async child({
    name,
    version,
    initialData,
  }: ChildOrder): Promise<Pick<ChildSpec, 'blueprint' | 'start' | 'initialData' | 'timeoutMs'>> {
    const { blueprints } = this.#options
    const blueprint =
      version === undefined ? blueprints.findByName(name) : blueprints.find({ name, version })
    if (blueprint === undefined) {
      const which = version === undefined ? `'${name}'` : `'${name}' (${version})`
      const message = `runBlueprint: there is no blueprint ${which}. Register it, or correct the name.`
      throw new NotFoundError('BLUEPRINT_NOT_FOUND', { message })
    }
    return {
      blueprint: blueprint.ref,
      start: startTarget(blueprint),
      initialData: await checkedInput(blueprint, initialData),
      timeoutMs: blueprint.timeoutMs,
    }
  }

  #idempotency(request: NewJobRequest, now: number): CommitEntry['idempotency'] {
    const { idempotencyKey, owner, blueprint, initialData } = request
    if (idempotencyKey === undefined) return undefined
    const said = JSON.stringify([blueprint.name, blueprint.version, initialData])
    const fingerprint = createHash('sha256').update(said).digest('hex')
    const expiresAt = now + this.#options.idempotencyTtlMs
    // As JSON, since a colon may stand in an id and in a key: nobody reaches another's keys.
    const key = JSON.stringify([owner.clientId, idempotencyKey])
    return { key, fingerprint, now, expiresAt }
  }
}

function sameJob(
  outcome: { readonly jobId: string; readonly fingerprint: string },
  fingerprint: string | undefined,
): { readonly jobId: string } {
  if (outcome.fingerprint === fingerprint) return { jobId: outcome.jobId }
  const message = 'This Idempotency-Key was used for another request. Use a new key for a new job.'
  throw new ConflictError('IDEMPOTENCY_CONFLICT', { message })
}

/** @throws InputError `INVALID_INPUT` with the path of everything that does not fit. */
export async function checkedInput(
  blueprint: BlueprintDefinition,
  given: unknown,
): Promise<JsonObject> {
  if (blueprint.input === null) return toJsonObject(given, 'initial_data')
  const what = `Input validation failed for blueprint '${blueprint.name}'`
  return fitting(blueprint.input, given, { what, root: 'initial_data' })
}
