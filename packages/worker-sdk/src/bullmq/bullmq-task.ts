import type { TaskContract } from '@avtomatika/protocol'

import type { TaskHandler, TaskOptions } from '../skill.ts'
import type { Worker } from '../worker.ts'
import { BullmqQueue, type BullmqQueueOptions } from './bullmq-queue.ts'

/** Where the tasks go, and how they are announced. */
export type BullmqTaskOptions<Params, Result> = BullmqQueueOptions & TaskOptions<Params, Result>

/**
 * Lets an existing BullMQ processor do the tasks of one kind: each is put into a queue of BullMQ, and
 * answered with what the processor returns or throws. The worker keeps the lease, the deadline and the
 * progress; the processor does not know of it.
 *
 * @param options.queue - name of the BullMQ queue.
 * @returns the worker.
 * @throws {@link ConfigError} `CONFIG_INVALID` as `worker.task` does.
 * @example
 * ```ts
 * bullmqTask(worker, 'resize', { queue: 'resize', connection: { host: 'localhost' } })
 * ```
 */
export function bullmqTask<Params = Record<string, unknown>, Result = unknown>(
  worker: Worker,
  nameOrContract: string | TaskContract<Params, Result>,
  options: BullmqTaskOptions<Params, Result>,
): Worker {
  const contract = typeof nameOrContract === 'string' ? { name: nameOrContract } : nameOrContract
  const { queue, connection, prefix, jobName = contract.name, jobOptions, isPermanent } = options
  const bridge = new BullmqQueue({ queue, connection, prefix, jobName, jobOptions, isPermanent })
  // What the processor returns is checked by the schema, as there is no type to check.
  const handler = ((context) => bridge.run(context)) as TaskHandler<Params, Result>
  worker.onShutdown(() => bridge.close())
  return typeof nameOrContract === 'string'
    ? worker.task(nameOrContract, options, handler)
    : worker.task(nameOrContract, options, handler)
}
