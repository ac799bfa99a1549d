/** A worker: one kind of task, one function. Settings come from the environment. */
import { setTimeout as sleep } from 'node:timers/promises'
import { TransientError, Worker } from '@avtomatika/worker-sdk'
import { z } from 'zod'

const STEPS = 10
const STEP_MS = 100

const echoParams = z.object({
  message: z.string(),
  multiply: z.number().int().min(1).max(100),
  /** Asks for a failure, to see what becomes of it. */
  fail: z.boolean().default(false),
})

const worker = new Worker({ workerType: 'test-worker', maxConcurrentTasks: 5 })

worker.task('echo_task', { params: echoParams }, async ({ params, progress, signal, logger }) => {
  const { message, multiply, fail } = params
  if (fail) throw new TransientError('Intentional failure for testing')
  for (let step = 1; step <= STEPS; step += 1) {
    await sleep(STEP_MS, undefined, { signal })
    progress(step / STEPS, `step ${String(step)} of ${String(STEPS)}`)
  }
  logger.info({ message, multiply }, 'echoed')
  return {
    processed_message: Array<string>(multiply).fill(message).join(' '),
    original_message: message,
    multiplied_by: multiply,
  }
})

// Until SIGINT or SIGTERM; tasks at hand are finished first.
await worker.run()
