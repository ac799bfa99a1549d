/** However much comes due at once, no call holds Redis up; and nothing is kept for ever, or needs what is gone. */
import { randomUUID } from 'node:crypto'
import { aJob, aRecord, aTask, aWorker, T0 } from '@avtomatika/core/testing'
import type { CommitEntry, Effect } from '@avtomatika/core'
import { Redis } from 'ioredis'
import { expect, inject, it, onTestFinished } from 'vitest'
import { RedisStorage } from '../src/index.ts'
import { removeKeys } from './support/open-redis.ts'

const LEASE_MS = 10_000
const END = T0 + LEASE_MS
/** What one call moves at most. */
const MOST = 500
const MANY = MOST + 100

interface World {
  readonly storage: RedisStorage
  readonly redis: Redis
  /** Of a key as Redis knows it. */
  readonly key: (name: string) => string
}

async function world(): Promise<World> {
  const prefix = `test-${randomUUID()}`
  const url = inject('redisUrl')
  const redis = new Redis(url)
  const storage = await RedisStorage.open({ url, prefix })
  onTestFinished(async () => {
    await storage.close()
    await removeKeys(redis, prefix)
    redis.disconnect()
  })
  return { storage, redis, key: (name) => `${prefix}:{0}:${name}` }
}

const ids = (count: number, what: string): string[] =>
  Array.from({ length: count }, (_, i) => `${what}-${i}`)

async function create(storage: RedisStorage, effects: readonly Effect[]): Promise<void> {
  const entry: CommitEntry = { job: aJob(), expectedVersion: 0, effects }
  expect(await storage.commit([entry])).toEqual([{ kind: 'committed' }])
}

/** Tasks that worker `w` holds until `END`. */
async function held(storage: RedisStorage, count: number): Promise<void> {
  const effects = ids(count, 'task').map((taskId) => {
    return { kind: 'offer_task', task: aTask({ taskId, jobId: 'job-1' }) } as const
  })
  await create(storage, effects)
  const claim = { workerId: 'w', classIds: ['resize'], limit: count, capacity: count }
  const claimed = await storage.claimTasks({ ...claim, now: T0, leaseMs: LEASE_MS })
  expect(claimed).toHaveLength(count)
}

const claimAt = (now: number, limit = 1_000) => ({ now, leaseMs: LEASE_MS, limit })

async function register(storage: RedisStorage, ...workerIds: readonly string[]): Promise<void> {
  for (const workerId of workerIds) {
    await storage.putWorker(aWorker({ workerId, expiresAt: END }))
  }
}

it('moves lost tasks in portions, and all of them in the end', async () => {
  const { storage, redis, key } = await world()
  await held(storage, MANY)
  expect(await storage.claimLostTasks(claimAt(END, 1))).toHaveLength(1)
  expect(await redis.zcard(key('leases'))).toBe(MANY - MOST)
  const lost = await storage.claimLostTasks(claimAt(END))
  expect(lost).toHaveLength(MANY - 1)
  expect(await redis.exists(key('leases'), key('held:w'))).toBe(0)
})

it('takes back leases that have run out in portions, and all of them in the end', async () => {
  const { storage, redis, key } = await world()
  await create(
    storage,
    ids(MANY, 'event').map((eventId) => ({ kind: 'record', record: aRecord({ eventId }) })),
  )
  expect(await storage.claimRecords(claimAt(T0))).toHaveLength(MANY)
  expect(await storage.claimRecords(claimAt(END, 1))).toHaveLength(1)
  expect(await redis.zcard(key('records:leased'))).toBe(MANY - MOST + 1)
  expect(await storage.claimRecords(claimAt(END))).toHaveLength(MANY - 1)
})

it('keeps nothing of workers whose end has come, removed or not', async () => {
  const { storage, redis, key } = await world()
  await register(storage, 'gone', 'removed', 'stays')
  await storage.putWorker(aWorker({ workerId: 'stays', expiresAt: END + 1 }))
  await storage.removeWorker('removed')
  expect((await storage.listWorkers({ now: T0 })).map(({ workerId }) => workerId)).toEqual([
    'gone',
    'stays',
  ])
  const { cursor } = await storage.changedWorkers({ now: T0 })
  await storage.changedWorkers({ since: cursor, now: END })
  expect(await redis.exists(key('worker:gone'), key('worker:removed'))).toBe(0)
  expect(await redis.zrange(key('workers'), '0', '-1')).toEqual(['stays'])
  expect(await redis.zrange(key('changes'), '0', '-1')).toEqual(['stays'])
})

it('tells of workers that came after all data was lost', async () => {
  const { storage, redis, key } = await world()
  await register(storage, 'a', 'b', 'c')
  const { cursor } = await storage.changedWorkers({ now: T0 })
  await redis.del(key('seq'), key('changes'), key('workers'))
  await register(storage, 'd')
  const { workers } = await storage.changedWorkers({ since: cursor, now: T0 })
  expect(workers.map(({ workerId }) => workerId)).toEqual(['d'])
})

it('is not stopped by one task that is gone from the store', async () => {
  const { storage, redis, key } = await world()
  await held(storage, 2)
  await redis.del(key('task:task-0'))
  const since = { workerId: 'w', now: T0 + 1, leaseMs: LEASE_MS, missingSince: T0 + 1 }
  expect(await storage.renewTasks({ ...since, taskIds: ['task-1'] })).toEqual([])
  expect(await storage.claimLostTasks(claimAt(END + 1))).toEqual([
    { taskId: 'task-1', jobId: 'job-1' },
  ])
})

it('is not stopped by one item that is gone from a queue', async () => {
  const { storage, redis, key } = await world()
  const steps = ids(3, 'step').map((stepId) => ({ kind: 'run_step', stepId }) as const)
  await create(storage, steps)
  await storage.claimSteps({ ...claimAt(T0), holder: 'dead' })
  await redis.hdel(key('steps:rank'), 'step-1')
  await redis.hdel(key('steps:item'), 'step-0')
  const claimed = await storage.claimSteps({ ...claimAt(END), holder: 'h' })
  expect(claimed.map(({ stepId, jobId }) => [stepId, jobId])).toEqual([
    ['step-1', 'job-1'],
    ['step-2', 'job-1'],
  ])
  expect(await redis.zscore(key('steps:ready'), 'step-0')).toBeNull()
})

it('is not stopped by one reserved task that is gone from the store', async () => {
  const { storage, redis, key } = await world()
  const task = aTask()
  const candidates = [{ workerId: 'w', capacity: 1 }]
  const until = T0 + 250
  const reservation = { taskId: task.taskId, choose: 'best', candidates, now: T0, until } as const
  const effects = [{ kind: 'offer_task', task }] as const
  await storage.commit([{ job: aJob(), expectedVersion: 0, effects, reservations: [reservation] }])
  await redis.del(key(`task:${task.taskId}`))
  expect(await storage.endReservations({ now: until, limit: 1 })).toEqual([])
  expect(await redis.exists(key('reservations'))).toBe(0)
})
