/**
 * One Redis for all tests of this package: the one that `AVTOMATIKA_TEST_REDIS_URL` names, else a container, else
 * a server of this machine. Tests never go without: when there is none, the run fails and says what to do.
 */
import { type TestProject } from 'vitest/node'
import { findEngine, startRedisContainer } from './support/redis-container.ts'
import { assertAnswers } from './support/redis-ping.ts'
import { startRedis } from './support/redis-server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the Redis of this run answers. Tests share it: each takes a key prefix of its own. */
    readonly redisUrl: string
  }
}

interface TestRedis {
  readonly url: string
  readonly stop: () => Promise<void>
}

/** Finds or starts Redis before the first test; what it returns runs after the last one, failed or not. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await openTestRedis(process.env['AVTOMATIKA_TEST_REDIS_URL'])
  project.provide('redisUrl', redis.url)
  return redis.stop
}

async function openTestRedis(givenUrl: string | undefined): Promise<TestRedis> {
  if (givenUrl !== undefined && givenUrl !== '') {
    await assertAnswers(givenUrl)
    return { url: givenUrl, stop: async () => {} }
  }
  return (await findEngine()) ? startRedisContainer() : startRedis()
}
