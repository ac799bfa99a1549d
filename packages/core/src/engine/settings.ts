import { DEFAULT_RULES, type Rules } from '../job/rules.ts'

/**
 * A worker that has got a task says so at once; by then it has, or never got it: the answer to its poll was
 * lost on the way (W8).
 */
export const ACKNOWLEDGE_MS = 5_000

/** How an engine behaves; every field has a default. Durations in milliseconds. */
export interface EngineSettings {
  readonly rules: Rules
  /** Steps that run at a time in this process. Default 100. */
  readonly executorConcurrency: number
  /** From claim to result, where the dispatch does not say. Default 300 000. */
  readonly taskTimeoutMs: number
  /** How long a poll without `timeout` waits, and the most that one may ask for. Default 30 000. */
  readonly pollTimeoutMs: number
  /** Heartbeats are expected at least this often; twice this without one, and a worker is gone. Default 60 000. */
  readonly workerHealthIntervalMs: number
  /** How long an idempotency key is remembered. Default 86 400 000 (a day). */
  readonly idempotencyTtlMs: number
  /** Largest data of one result, event, decision or patch, in bytes of JSON. Default 1 048 576. */
  readonly maxDataBytes: number
  /** History rows that may wait for the history; beyond that the oldest are dropped. Default 1 000 000. */
  readonly maxOutboxRecords: number
  /** Workers whose reputation is less get no tasks until it has recovered. Default 0.3; 0 for no such rule. */
  readonly minReputation: number
}

export const DEFAULT_SETTINGS: EngineSettings = {
  rules: DEFAULT_RULES,
  executorConcurrency: 100,
  taskTimeoutMs: 300_000,
  pollTimeoutMs: 30_000,
  workerHealthIntervalMs: 60_000,
  idempotencyTtlMs: 86_400_000,
  maxDataBytes: 1024 * 1024,
  maxOutboxRecords: 1_000_000,
  minReputation: 0.3,
}

/** A worker, and what it holds, is given up after two missed beats. */
export function workerTtlMs({ workerHealthIntervalMs }: EngineSettings): number {
  return 2 * workerHealthIntervalMs
}
