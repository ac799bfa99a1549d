/** What happens in a schedule, all decided by its seed. */
import type { SeededRandom } from '../seeded-random.ts'

export interface Plan {
  readonly orchestrators: number
  readonly workers: number
  readonly jobs: number
  /** Probability that a call to storage is killed with its caller: before it is done, or after. */
  readonly killRate: number
  /** Probability that a call to storage fails, or succeeds and is reported as failed. */
  readonly errorRate: number
  /** Longest delay of a call to storage, in ms. */
  readonly maxDelayMs: number
  /** Probability that a worker's message, or the answer to it, is lost. */
  readonly lossRate: number
  /** Probability that a worker sends a result twice, or again much later. */
  readonly repeatRate: number
  /** Probability that a worker dies while it has a task. */
  readonly workerDeathRate: number
  /** How far an orchestrator's clock may be off, in ms. */
  readonly maxSkewMs: number
  /** Probability that a client cancels its job. */
  readonly cancelRate: number
  /** Probability that an operator works on a quarantined job when looking at it. */
  readonly operatorRate: number
  /** Probability that a job must have ended by some time. */
  readonly hurryRate: number
  /** How long faults go on, in ms; after that everybody is well. */
  readonly faultyMs: number
}

export function planOf(random: SeededRandom): Plan {
  const sometimes = (rate: number): number => (random.chance(0.6) ? random.next() * rate : 0)
  return {
    orchestrators: random.between(1, 3),
    workers: random.between(1, 4),
    jobs: random.between(1, 8),
    killRate: sometimes(0.01),
    errorRate: sometimes(0.05),
    maxDelayMs: random.chance(0.5) ? random.between(1, 400) : 0,
    lossRate: sometimes(0.2),
    repeatRate: sometimes(0.5),
    workerDeathRate: sometimes(0.15),
    maxSkewMs: random.chance(0.5) ? random.between(1, 1_500) : 0,
    cancelRate: sometimes(0.3),
    operatorRate: sometimes(0.3),
    hurryRate: sometimes(0.3),
    faultyMs: random.between(1_000, 12_000),
  }
}
