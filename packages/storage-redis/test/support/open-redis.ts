/** Storages for tests, each under a key prefix of its own that it leaves empty. */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, inject } from 'vitest'
import { RedisStorage } from '../../src/index.ts'

/** Opens a storage on the Redis of this run. Its `close` removes its keys too. */
export function redisOpener(): () => Promise<RedisStorage> {
  const url = inject('redisUrl')
  const redis = new Redis(url)
  afterAll(() => void redis.disconnect())
  return async () => {
    const prefix = `test-${randomUUID()}`
    const storage = await RedisStorage.open({ url, prefix })
    const close = storage.close.bind(storage)
    storage.close = async () => {
      await close()
      await removeKeys(redis, prefix)
    }
    return storage
  }
}

/** Removes what is under a prefix. */
export async function removeKeys(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    if (keys.length > 0) await redis.unlink(...keys)
  }
}
