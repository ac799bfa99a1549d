/** One job that spreads over many tasks and gathers what they brought. */
import { AvtomatikaClient } from '@avtomatika/client'
import { startChild } from './child.ts'

export interface FanFigures {
  readonly branches: number
  /** From created to completed. */
  readonly seconds: number
}

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
    const begin = performance.now()
    const job = await client.run('/jobs/fan', { branches })
    if (job.result !== branches) throw new Error(`The job ended as ${job.status}.`)
    return { branches, seconds: (performance.now() - begin) / 1000 }
  } finally {
    await client.close()
    await worker.stop()
    await orchestrator.stop()
  }
}
