import { randomUUID } from 'node:crypto'
import { storageContract } from '@avtomatika/core/testing'
import { describe, inject, it } from 'vitest'
import { RedisStorage } from '../src/index.ts'

function open(): Promise<RedisStorage> {
  return RedisStorage.open({ url: inject('redisUrl'), prefix: `test-${randomUUID()}` })
}

describe('Redis storage', () => {
  for (const { name, run } of storageContract) it(name, () => run(open))
})
