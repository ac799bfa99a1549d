/** What stores say to each other on the channel of hints. Anybody who reaches Redis can speak there. */
import type { Hint } from '@avtomatika/core'

export interface HintMessage {
  /** Which process says it. */
  readonly from: string
  readonly hints: readonly Hint[]
}

type Fields = Readonly<Record<string, unknown>>

const isText = (value: unknown): boolean => typeof value === 'string'
const isTextOrNothing = (value: unknown): boolean => value === undefined || isText(value)
const isMoment = (value: unknown): boolean => typeof value === 'number'
const isAnything = (): boolean => true

const KINDS: Readonly<Record<Hint['kind'], (hint: Fields) => boolean>> = {
  step: isAnything,
  record: isAnything,
  message: isAnything,
  deadline: ({ at }) => isMoment(at),
  job_ended: ({ jobId }) => isText(jobId),
  withdrawn: ({ workerId, jobId, taskId }) => isText(workerId) && isText(jobId) && isText(taskId),
  acknowledged: ({ taskIds }) => Array.isArray(taskIds) && taskIds.every(isText),
  connected: ({ workerId, connectionId }) => isText(workerId) && isText(connectionId),
  stream: ({ jobId, taskId, workerId, chunks }) =>
    [jobId, taskId, workerId].every(isText) && Array.isArray(chunks) && chunks.every(isChunk),
  stream_mark: ({ id }) => isText(id),
  worker_tokens: ({ from }) => isText(from),
  lowered: ({ reputations }) => Array.isArray(reputations) && reputations.every(isReputation),
  task: ({ classId, demand, workerId, openToAllAt }) =>
    isText(classId) &&
    isFields(demand) &&
    isText(demand['type']) &&
    isTextOrNothing(workerId) &&
    (openToAllAt === undefined || isMoment(openToAllAt)),
}

/** Reads a message; `undefined` for what is none. Hints of kinds that we do not know are left out. */
export function parseHintMessage(said: string): HintMessage | undefined {
  const message = parsed(said)
  if (!isFields(message)) return undefined
  const { from, hints } = message
  if (typeof from !== 'string' || !Array.isArray(hints)) return undefined
  return { from, hints: hints.filter(isHint) }
}

function parsed(said: string): unknown {
  try {
    return JSON.parse(said)
  } catch {
    return undefined
  }
}

function isHint(value: unknown): value is Hint {
  if (!isFields(value)) return false
  const { kind } = value
  return (
    typeof kind === 'string' && Object.hasOwn(KINDS, kind) && KINDS[kind as Hint['kind']](value)
  )
}

function isChunk(value: unknown): boolean {
  if (!isFields(value)) return false
  const { id, seq, chunk } = value
  return isText(id) && (seq === null || Number.isSafeInteger(seq)) && chunk !== undefined
}

function isReputation(value: unknown): boolean {
  return isFields(value) && isText(value['workerId']) && typeof value['reputation'] === 'number'
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}
