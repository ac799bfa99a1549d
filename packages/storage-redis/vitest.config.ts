// Our own tests, and those of the engine and the cookbook: what holds in memory holds on Redis.
import { join } from 'node:path'
import { defineConfig, mergeConfig } from 'vitest/config'
import { packageTests } from '../../vitest.base.ts'

const onRedis = mergeConfig(
  { ...packageTests, test: {} },
  defineConfig({ test: { globalSetup: ['test/global-setup.ts'], testTimeout: 20_000 } }),
)

const testingOnRedis = join(import.meta.dirname, 'test/support/testing-on-redis.ts')

interface Tests {
  readonly include: string[]
  readonly setupFiles?: string[]
  readonly alias?: Readonly<Record<string, string>>
  readonly isolate?: boolean
}

function project(name: string, tests: Tests): typeof onRedis {
  return mergeConfig(onRedis, { test: { name, ...tests } })
}

export default defineConfig({
  test: {
    projects: [
      project('@avtomatika/storage-redis', { include: ['test/**/*.test.ts'] }),
      project('core on Redis', {
        include: ['../core/test/{engine,http}.*.test.ts'],
        setupFiles: ['test/support/core-on-redis.ts'],
        isolate: false,
      }),
      project('cookbook on Redis', {
        include: ['../../examples/cookbook/*.test.ts'],
        setupFiles: ['test/support/cookbook-on-redis.ts'],
        alias: { '@avtomatika/core/testing': testingOnRedis },
        isolate: false,
      }),
    ],
  },
})
