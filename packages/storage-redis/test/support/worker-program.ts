/** A worker as a process of its own. */
import { setTimeout as pass } from 'node:timers/promises'
import { Worker } from '@avtomatika/worker-sdk'
import { begin, readSettings, say, TOKENS } from './program.ts'

export interface WorkerSettings {
  readonly workerId: string
  readonly orchestratorUrl: string
  /** How long each task takes, in ms, so that some are at work whenever the worker is killed. */
  readonly workMs: number
}

const { workMs, ...who } = readSettings() as WorkerSettings
const worker = new Worker({
  ...who,
  token: TOKENS.worker,
  heartbeatIntervalMs: 1_000,
  pollTimeoutMs: 5_000,
  // An orchestrator is back within a second, and to be found again soon after.
  env: {
    LOG_LEVEL: 'warn',
    REGISTRATION_RETRY_MAX_DELAY: '1',
    POLL_BACKOFF_MAX: '1',
  },
})
worker.task('work', async ({ params, taskId }) => {
  say({ kind: 'task', taskId })
  await pass(workMs)
  return { n: Number(params['n']) }
})
const started = worker.start()
begin({ kind: 'started' })
await started
