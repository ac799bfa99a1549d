import { isJsonObject, MAX_POLL_TASKS, PATHS } from '@avtomatika/protocol'

import { backoffMs, retryWaitMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import type { Turn } from './poll-turns.ts'
import type { Registration } from './registration.ts'
import type { PollScope } from './task-runner.ts'
import type { Reply, Transport } from './transport.ts'
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
  /** Waits until results of more tasks can be kept, or the abort. */
  readonly whenDeliverable: (signal: AbortSignal) => Promise<void>
  /** Waits for leave to ask; `undefined` after an abort. */
  readonly nextTurn: (signal: AbortSignal) => Promise<Turn | undefined>
  /** What can be started now. */
  readonly scope: () => PollScope
  /** Waits until more can be started than this, or the abort. */
  readonly whenWider: (scope: PollScope, signal: AbortSignal) => Promise<void>
  /** Takes a task as it came; it may be malformed. */
  readonly admit: (payload: unknown) => void
  /** Aborts tasks. */
  readonly cancel: (taskIds: readonly string[]) => void
}

/** The server is told to wait the poll's time; this is how much longer its answer may take, in ms. */
const POLL_GRACE_MS = 5000

/** Older servers wait this long whatever they are told; who hangs up before that loses a task. */
const OLD_SERVER_WAIT_MS = 30_000

/** So many empty answers without any waiting mean a server that does not wait; then we do. */
const MAX_INSTANT_ANSWERS = 10

/** Asks for tasks, one long poll at a time and only while there is room, until the abort. */
export async function pollLoop(options: PollLoopOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, backoff, registration, logger } = options
  let failures = 0
  let instantAnswers = 0
  while (!signal.aborted) {
    await registration.whenRegistered(signal)
    await options.whenDeliverable(signal)
    const turn = await options.nextTurn(signal)
    if (turn === undefined) return
    const askedAt = clock.now()
    const reply = await ask(options, turn, signal)
    if (reply === 'wider') {
      turn.end('nothing')
      continue
    }
    if (reply.ok) {
      failures = 0
      const payloads = payloadsIn(reply.body)
      const cancelled = cancelledIn(reply.body)
      // First: a task that comes again in this very answer is not meant.
      if (cancelled.length > 0) options.cancel(cancelled)
      // Also after an abort: what was handed to us must be answered for.
      for (const payload of payloads) options.admit(payload)
      turn.end(payloads.length > 0 ? 'tasks' : 'nothing')
      const isEmpty = payloads.length === 0 && cancelled.length === 0
      instantAnswers = !isEmpty || clock.now() > askedAt ? 0 : instantAnswers + 1
      if (instantAnswers >= MAX_INSTANT_ANSWERS) {
        await sleep(clock, backoffMs(backoff, 1, random), signal)
      }
      continue
    }
    turn.end('failure')
    if (signal.aborted) return
    failures += 1
    const isRefused = reply.status === 401 || reply.status === 403
    logger[isRefused ? 'error' : 'warn']({ err: reply.error, failures }, 'asking for tasks failed')
    if (reply.status === 404) registration.lost()
    await sleep(clock, retryWaitMs(backoff, failures, random, reply), signal)
  }
}

/**
 * Asks once. A poll for some of the tasks only is ended when the others can be started, too: they could
 * lie waiting meanwhile. What the server hands over in that instant it takes back, as nobody acknowledges it.
 */
async function ask(
  options: PollLoopOptions,
  turn: Turn,
  signal: AbortSignal,
): Promise<Reply | 'wider'> {
  const { transport, scope, whenWider } = options
  const asked = scope()
  const request = pollRequest(options, turn, asked)
  if (asked.only === undefined) return transport.request({ ...request, signal })
  const answered = new AbortController()
  const ended = new AbortController()
  const watch = whenWider(asked, AbortSignal.any([signal, answered.signal])).then(() => {
    if (!signal.aborted && !answered.signal.aborted) ended.abort()
  })
  const reply = await transport.request({
    ...request,
    signal: AbortSignal.any([signal, ended.signal]),
  })
  answered.abort()
  await watch
  return !reply.ok && ended.signal.aborted && !signal.aborted ? 'wider' : reply
}

function pollRequest({ workerId }: PollLoopOptions, { max, timeoutMs }: Turn, { only }: PollScope) {
  const query = new URLSearchParams({
    timeout: String(timeoutMs / 1000),
    max: String(Math.min(max, MAX_POLL_TASKS)),
    ...(only !== undefined && { available_skills: only.join() }),
  })
  return {
    method: 'GET',
    path: `${PATHS.pollTask(workerId)}?${query.toString()}`,
    timeoutMs: Math.max(timeoutMs, OLD_SERVER_WAIT_MS) + POLL_GRACE_MS,
  } as const
}

/** The tasks in an answer, unchecked: one that is malformed must not take the others with it. */
function payloadsIn(body: unknown): readonly unknown[] {
  if (body === undefined || body === null) return []
  if (!isJsonObject(body)) return [body]
  if (Array.isArray(body['tasks'])) return body['tasks']
  if (body['cancel_task_ids'] !== undefined && body['task_id'] === undefined) return []
  return Object.keys(body).length === 0 ? [] : [body]
}

/** The tasks that an answer says to abort; only an orchestrator that was asked to names any. */
function cancelledIn(body: unknown): readonly string[] {
  const taskIds: unknown = isJsonObject(body) ? body['cancel_task_ids'] : undefined
  return Array.isArray(taskIds) ? taskIds.filter((taskId) => typeof taskId === 'string') : []
}
