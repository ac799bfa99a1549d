import { isJsonObject, MAX_POLL_TASKS, PATHS } from '@avtomatika/protocol'

import { backoffMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import type { Registration } from './registration.ts'
import type { Transport } from './transport.ts'
import { sleep } from './wake.ts'

/** What the loop needs. */
export interface PollLoopOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly logger: WorkerLogger
  readonly backoff: BackoffPolicy
  readonly registration: Registration
  readonly workerId: string
  readonly pollTimeoutMs: number
  /** Waits until tasks can be taken, or the abort. */
  readonly whenRoom: (signal: AbortSignal) => Promise<void>
  /** How many tasks can be taken now. */
  readonly room: () => number
  /** Takes a task as it came; it may be malformed. */
  readonly admit: (payload: unknown) => void
}

/** The server is told to wait the poll's time; this is how much longer its answer may take, in ms. */
const POLL_GRACE_MS = 5000

/** So many empty answers without any waiting mean a server that does not wait; then we do. */
const MAX_INSTANT_ANSWERS = 10

/** Asks for tasks, one long poll at a time and only while there is room, until the abort. */
export async function pollLoop(options: PollLoopOptions, signal: AbortSignal): Promise<void> {
  const { transport, clock, random, backoff, registration, logger } = options
  let failures = 0
  let instantAnswers = 0
  while (!signal.aborted) {
    await registration.whenRegistered(signal)
    await options.whenRoom(signal)
    if (signal.aborted) return
    const askedAt = clock.now()
    const reply = await transport.request({ ...pollRequest(options), signal })
    if (reply.ok) {
      failures = 0
      const payloads = payloadsIn(reply.body)
      // Also after an abort: what was handed to us must be answered for.
      for (const payload of payloads) options.admit(payload)
      instantAnswers = payloads.length > 0 || clock.now() > askedAt ? 0 : instantAnswers + 1
      if (instantAnswers >= MAX_INSTANT_ANSWERS) {
        await sleep(clock, backoffMs(backoff, 1, random), signal)
      }
      continue
    }
    if (signal.aborted) return
    failures += 1
    const isRefused = reply.status === 401 || reply.status === 403
    logger[isRefused ? 'error' : 'warn']({ err: reply.error, failures }, 'asking for tasks failed')
    if (reply.status === 404) registration.lost()
    await sleep(clock, backoffMs(backoff, failures, random, reply.retryAfterMs), signal)
  }
}

function pollRequest({ workerId, pollTimeoutMs, room }: PollLoopOptions) {
  const query = new URLSearchParams({
    timeout: String(pollTimeoutMs / 1000),
    max: String(Math.min(room(), MAX_POLL_TASKS)),
  })
  return {
    method: 'GET',
    path: `${PATHS.pollTask(workerId)}?${query.toString()}`,
    timeoutMs: pollTimeoutMs + POLL_GRACE_MS,
  } as const
}

/** The tasks in an answer, unchecked: one that is malformed must not take the others with it. */
function payloadsIn(body: unknown): readonly unknown[] {
  if (body === undefined || body === null) return []
  if (!isJsonObject(body)) return [body]
  if (Array.isArray(body['tasks'])) return body['tasks']
  return Object.keys(body).length === 0 ? [] : [body]
}
