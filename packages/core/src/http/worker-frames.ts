/** What a worker says on its connection: events, one frame each or in batches, one after the other. */
import {
  InputError,
  isJsonObject,
  normaliseEvent,
  parseEventBatch,
  toErrorBody,
} from '@avtomatika/protocol'
import type { FastifyRequest } from 'fastify'
import type { RawData, WebSocket } from 'ws'
import { heldBy } from '../job/on-task.ts'
import { takeEventBatch } from './event-batch.ts'
import type { WorkerAuth } from './worker-auth.ts'
import type { WorkerEventOptions } from './worker-events.ts'
import { countRefusedItems } from './worker-refusals.ts'

/** A worker that is quicker than we are has to wait for us. */
const MAX_WAITING = 64

export interface WorkerFramesOptions extends WorkerEventOptions {
  readonly auth: WorkerAuth
  /** What opened the connection. */
  readonly request: FastifyRequest
  readonly socket: Pick<WebSocket, 'pause' | 'resume'>
  /** Told who is at the other end, when only what it says shows that. */
  readonly onNamed: (workerId: string) => void
}

export class WorkerFrames {
  readonly #options: WorkerFramesOptions
  readonly #waiting: RawData[] = []
  #workerId: string | undefined
  #isBusy = false

  constructor(options: WorkerFramesOptions) {
    this.#options = options
  }

  /** Everything on the connection is said by this worker. */
  bind(workerId: string): void {
    this.#workerId = workerId
  }

  /** Takes a frame; what is wrong with it is for the log, since older workers read no answers. */
  take(data: RawData): void {
    this.#waiting.push(data)
    if (this.#waiting.length >= MAX_WAITING) this.#options.socket.pause()
    if (!this.#isBusy) void this.#drain()
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    this.#isBusy = true
    for (let data = this.#waiting.shift(); data !== undefined; data = this.#waiting.shift()) {
      if (this.#waiting.length === 0) this.#options.socket.resume()
      try {
        await this.#deal(readText(data))
      } catch (error) {
        const { engine, request } = this.#options
        const { log } = request
        engine.metrics.countRefused('frame', toErrorBody(error).code)
        log.debug({ err: error, workerId: this.#workerId }, 'a frame of a worker was refused')
      }
    }
    this.#isBusy = false
  }

  async #deal(text: string): Promise<void> {
    const { request, onNamed, auth } = this.#options
    const body = readJson(text)
    const bodies = parseEventBatch(body) ?? [body]
    const workerId =
      this.#workerId === undefined
        ? await this.#speaker(bodies[0])
        : auth.actAs(request, this.#workerId)
    auth.checkSignature(request, { body, text, kind: 'event' }, workerId)
    // Not before: whoever is named takes the place of whoever was connected under that name.
    if (this.#workerId === undefined) onNamed(workerId)
    const { log } = request
    const { results } = await takeEventBatch(bodies, workerId, { ...this.#options, log })
    countRefusedItems(results, 'frame', this.#options.engine.metrics)
    const refused = results.filter(({ status }) => status === 'error')
    if (refused.length > 0) log.debug({ workerId, refused }, 'events of a worker were refused')
  }

  /**
   * Workers of one older generation connect without saying who they are; what they report is about a
   * task, and that one is in the hands of one worker. The token must be good for it.
   */
  async #speaker(body: unknown): Promise<string> {
    const { auth, engine, request } = this.#options
    const named = isJsonObject(body) ? body['worker_id'] : undefined
    if (typeof named === 'string') return auth.actAs(request, named)
    const { jobId, taskId = null } = normaliseEvent(body, 'unknown')
    const job = jobId === undefined ? undefined : await engine.reads.read(jobId)
    const holder = job && heldBy(job, { taskId, workerId: '' })?.phase.workerId
    return auth.actAs(request, holder)
  }
}

function readText(data: RawData): string {
  const chunks = Array.isArray(data) ? data : [Buffer.from(data as Uint8Array)]
  return Buffer.concat(chunks).toString('utf8')
}

function readJson(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text)
    return body
  } catch (error) {
    throw new InputError('INVALID_JSON', { message: 'The frame is no JSON.', cause: error })
  }
}
