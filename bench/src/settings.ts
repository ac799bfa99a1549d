/** What a run is made of; every number can be set on the command line. */
import { parseArgs } from 'node:util'

export interface BenchSettings {
  readonly jobs: number
  /** Jobs that the client has under way at a time. */
  readonly concurrency: number
  /** Jobs that run first and are not counted. */
  readonly warmUp: number
  readonly workerSlots: number
  /** Branches of each fan-out; none leaves the scenario out. */
  readonly branches: readonly number[]
  /** Workers that only wait; 0 leaves the scenario out. */
  readonly idleWorkers: number
  /** A Redis to measure beside the memory; its keys `bench-…` stay there. */
  readonly redisUrl?: string
}

/** Reads `--jobs`, `--concurrency`, `--warm-up`, `--worker-slots`, `--branches`, `--idle-workers` and `--redis-url`. */
export function readSettings(args: readonly string[]): BenchSettings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      jobs: { type: 'string', default: '2000' },
      concurrency: { type: 'string', default: '32' },
      'warm-up': { type: 'string', default: '500' },
      'worker-slots': { type: 'string', default: '64' },
      branches: { type: 'string', default: '100,1000,3000,10000' },
      'idle-workers': { type: 'string', default: '5000' },
      'redis-url': { type: 'string' },
    },
  })
  return {
    jobs: positive('jobs', values.jobs),
    concurrency: positive('concurrency', values.concurrency),
    warmUp: positive('warm-up', values['warm-up']),
    workerSlots: positive('worker-slots', values['worker-slots']),
    branches: list('branches', values.branches),
    idleWorkers: whole('idle-workers', values['idle-workers']),
    ...(values['redis-url'] !== undefined && { redisUrl: values['redis-url'] }),
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`--${name} must be a whole number from 1 on, got '${text}'.`)
}

/** Numbers with commas between them; `0` for none. */
function list(name: string, text: string): readonly number[] {
  return text === '0' ? [] : text.split(',').map((each) => positive(name, each))
}

function whole(name: string, text: string): number {
  return text === '0' ? 0 : positive(name, text)
}
