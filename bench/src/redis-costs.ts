/** What work costs Redis. MONITOR sends a copy of everything, so bytes are counted without it. */
import { Redis } from 'ioredis'

export interface RedisTraffic {
  readonly bytesIn: number
  readonly bytesOut: number
}

/** Counts the commands of all clients while `work` runs; those inside of scripts do not count. */
export async function countRoundTrips(url: string, work: () => Promise<void>): Promise<number> {
  const redis = new Redis(url)
  const monitor = await redis.monitor()
  let roundTrips = 0
  monitor.on('monitor', (_time: string, _args: readonly string[], source: string) => {
    if (source !== 'lua') roundTrips += 1
  })
  try {
    await work()
    return roundTrips
  } finally {
    monitor.disconnect()
    redis.disconnect()
  }
}

/** Counts what goes to Redis and comes from it while `work` runs. */
export async function countBytes(url: string, work: () => Promise<void>): Promise<RedisTraffic> {
  const redis = new Redis(url)
  try {
    const before = await traffic(redis)
    await work()
    const { bytesIn, bytesOut } = await traffic(redis)
    return { bytesIn: bytesIn - before.bytesIn, bytesOut: bytesOut - before.bytesOut }
  } finally {
    redis.disconnect()
  }
}

async function traffic(redis: Redis): Promise<RedisTraffic> {
  const info = await redis.info('stats')
  return {
    bytesIn: numberIn(info, 'total_net_input_bytes'),
    bytesOut: numberIn(info, 'total_net_output_bytes'),
  }
}

function numberIn(info: string, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
}
