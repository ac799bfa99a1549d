/** Create over HTTP, one echo task over HTTP, completed: the unit that everything else builds on. */
import { AvtomatikaClient } from '@avtomatika/client'
import { startChild } from './child.ts'
import { percentile } from './percentile.ts'
import { processorTime } from './processor-time.ts'
import { countBytes, countRoundTrips, type RedisTraffic } from './redis-costs.ts'
import type { BenchSettings } from './settings.ts'

export interface EchoFigures {
  readonly jobsPerSecond: number
  /** From created to completed, in ms. */
  readonly p50: number
  readonly p99: number
  /** What each process had of the processors for one job, in microseconds. */
  readonly orchestratorUs: number
  readonly workerUs: number
  /** Of one job; with Redis only. */
  readonly redis?: RedisTraffic & { readonly roundTrips: number }
}

/** Jobs by which the costs in Redis are counted. */
const COUNTED_JOBS = 500

export async function echoScenario(
  settings: BenchSettings,
  redisUrl?: string,
): Promise<EchoFigures> {
  const storage = redisUrl === undefined ? [] : [redisUrl]
  const orchestrator = await startChild('./orchestrator-process.ts', storage)
  const worker = await startChild('./worker-process.ts', [
    orchestrator.said,
    String(settings.workerSlots),
  ])
  const client = new AvtomatikaClient({ url: orchestrator.said, token: 'bench' })
  try {
    await runJobs(client, settings.warmUp, settings.concurrency)
    const before = await Promise.all([orchestrator, worker].map(processorTime))
    const begin = performance.now()
    const latencies = await runJobs(client, settings.jobs, settings.concurrency)
    const seconds = (performance.now() - begin) / 1000
    const after = await Promise.all([orchestrator, worker].map(processorTime))
    const [orchestratorUs = 0, workerUs = 0] = after.map(
      (time, i) => (time - (before[i] ?? 0)) / settings.jobs,
    )
    const costs = redisUrl === undefined ? undefined : await countCosts(redisUrl, client, settings)
    return {
      jobsPerSecond: settings.jobs / seconds,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      orchestratorUs,
      workerUs,
      ...(costs && { redis: costs }),
    }
  } finally {
    await client.close()
    await worker.stop()
    await orchestrator.stop()
  }
}

async function countCosts(
  url: string,
  client: AvtomatikaClient,
  { concurrency }: BenchSettings,
): Promise<NonNullable<EchoFigures['redis']>> {
  const work = async (): Promise<void> => {
    await runJobs(client, COUNTED_JOBS, concurrency)
  }
  const { bytesIn, bytesOut } = await countBytes(url, work)
  const roundTrips = await countRoundTrips(url, work)
  return {
    roundTrips: roundTrips / COUNTED_JOBS,
    bytesIn: bytesIn / COUNTED_JOBS,
    bytesOut: bytesOut / COUNTED_JOBS,
  }
}

async function runJobs(
  client: AvtomatikaClient,
  jobs: number,
  concurrency: number,
): Promise<readonly number[]> {
  const latencies: number[] = []
  let begun = 0
  const lane = async (): Promise<void> => {
    while (begun < jobs) {
      begun += 1
      latencies.push(await runJob(client, begun))
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  return latencies
}

async function runJob(client: AvtomatikaClient, number: number): Promise<number> {
  const job = await client.run('/jobs/echo', { number, text: 'Hello World' })
  if (job.status !== 'finished') {
    throw new Error(`Job ${job.id} ended as ${job.status}: ${job.error?.message ?? 'no error'}`)
  }
  return (job.finishedAt ?? Number.NaN) - (job.createdAt ?? Number.NaN)
}
