import { randomUUID } from 'node:crypto'
import type { Notifier, Scheduler } from '@avtomatika/core'
import {
  notifierContract,
  schedulerContract,
  type NotifierBench,
  type SchedulerBench,
} from '@avtomatika/core/testing'
import { Redis } from 'ioredis'
import { afterAll, describe, inject, it } from 'vitest'
import { RedisBackground } from '../src/index.ts'
import { removeKeys } from './support/open-redis.ts'

const PREFIX = `test-${randomUUID()}`

/** Each on keys of its own. */
function openBackground(): Promise<RedisBackground> {
  return RedisBackground.open({ url: inject('redisUrl'), prefix: `${PREFIX}-${randomUUID()}` })
}

afterAll(async () => {
  const redis = new Redis(inject('redisUrl'))
  await removeKeys(redis, PREFIX)
  redis.disconnect()
})

/** What was opened is stopped first, whatever it does just then. */
async function closed(
  background: RedisBackground,
  opened: readonly (Notifier | Scheduler)[],
): Promise<void> {
  await Promise.all(opened.map((each) => each.stop(0)))
  background.close()
}

async function notifierBench(): Promise<NotifierBench> {
  const background = await openBackground()
  const opened: Notifier[] = []
  return {
    open: (options) => {
      const notifier = background.notifier(options)
      opened.push(notifier)
      return Promise.resolve(notifier)
    },
    close: () => closed(background, opened),
  }
}

async function schedulerBench(): Promise<SchedulerBench> {
  const background = await openBackground()
  const opened: Scheduler[] = []
  return {
    open: () => {
      const scheduler = background.scheduler()
      opened.push(scheduler)
      return Promise.resolve(scheduler)
    },
    close: () => closed(background, opened),
  }
}

describe('the notifier on Redis', () => {
  for (const { name, run } of notifierContract) it(name, () => run(notifierBench))
})

describe('the scheduler on Redis', () => {
  for (const { name, run } of schedulerContract) it(name, () => run(schedulerBench))
})
