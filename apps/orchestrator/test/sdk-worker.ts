/** A worker of the SDK as a program; ends as `run()` says. */
import { setTimeout as pass } from 'node:timers/promises'
import { Worker, type WorkerOptions } from '../../../packages/worker-sdk/src/index.ts'

interface Settings extends Pick<
  WorkerOptions,
  'workerId' | 'token' | 'healthPort' | 'shutdownTimeoutMs'
> {
  readonly url: string
  /** Names of tasks. */
  readonly tasks: readonly string[]
  /** Handlers do not stop when they are told to. */
  readonly isStubborn?: boolean
}

const { url, tasks, isStubborn, ...options } = JSON.parse(process.argv[2] ?? '{}') as Settings
const worker = new Worker({
  ...options,
  orchestratorUrl: url,
  heartbeatIntervalMs: 1_000,
  pollTimeoutMs: 2_000,
  env: {
    LOG_LEVEL: 'warn',
    REGISTRATION_RETRY_INITIAL_DELAY: '1',
    REGISTRATION_RETRY_MAX_DELAY: '1',
    POLL_BACKOFF_MAX: '1',
    RATE_LIMIT_BACKOFF_FLOOR: '0.2',
  },
})
const { workerId } = worker
for (const name of tasks) {
  worker.task(name, async ({ jobId, params, signal }) => {
    process.send?.({ kind: 'began', workerId, jobId })
    await pass(Number(params['ms']), undefined, isStubborn === true ? {} : { signal })
    return { by: workerId }
  })
}
process.once('disconnect', () => process.exit())
const running = worker.run()
worker.start().then(
  () => process.send?.({ kind: 'registered', workerId }),
  () => undefined,
)
const code = await running
process.disconnect()
process.exitCode = code
