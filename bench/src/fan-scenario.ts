/** One job that spreads over many tasks and gathers what they brought. */
import { AvtomatikaClient } from '@avtomatika/client'
import { startChild } from './child.ts'
import { processorTime } from './processor-time.ts'

export interface FanFigures {
  readonly branches: number
  /** From created to completed. */
  readonly seconds: number
  /** What the orchestrator's process had of the processors for it. */
  readonly cpuSeconds: number
}

/** Branches of the fan-out that runs first and is not counted. */
const WARM_UP = 100

/** Each in a process of its own. */
export async function fanScenario(
  { branches, workerSlots }: { readonly branches: number; readonly workerSlots: number },
  redisUrl?: string,
): Promise<FanFigures> {
  const orchestrator = await startChild(
    './orchestrator-process.ts',
    redisUrl === undefined ? [] : [redisUrl],
  )
  const args = [orchestrator.said, String(workerSlots)]
  const worker = await startChild('./worker-process.ts', args)
  const client = new AvtomatikaClient({ url: orchestrator.said, token: 'bench' })
  try {
    await spread(client, WARM_UP)
    const before = await processorTime(orchestrator)
    const begin = performance.now()
    await spread(client, branches)
    const seconds = (performance.now() - begin) / 1000
    const spent = (await processorTime(orchestrator)) - before
    return { branches, seconds, cpuSeconds: spent / 1_000_000 }
  } finally {
    await client.close()
    await worker.stop()
    await orchestrator.stop()
  }
}

async function spread(client: AvtomatikaClient, branches: number): Promise<void> {
  const job = await client.run('/jobs/fan', { branches })
  if (job.result !== branches) throw new Error(`The job ended as ${job.status}.`)
}
