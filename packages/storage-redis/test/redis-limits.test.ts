/** Locks, rate limits and quotas in Redis: what the contract of the port cannot see. */
import { randomUUID } from 'node:crypto'
import { MemoryStorage, type LimitStore, type LockGrant, type LockStore } from '@avtomatika/core'
import { T0 } from '@avtomatika/core/testing'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { RedisLimits } from '../src/redis-limits.ts'
import { ScriptRunner } from '../src/script-runner.ts'

const HOUR_MS = 3_600_000

function connect(): Redis {
  const redis = new Redis(inject('redisUrl'))
  onTestFinished(() => {
    redis.disconnect()
  })
  return redis
}

function freshKeys(): string {
  return `test-${randomUUID()}:{0}:`
}

async function keysBelow(redis: Redis, prefix: string): Promise<string[]> {
  const keys = await redis.keys(`${prefix}*`)
  return keys.map((key) => key.slice(prefix.length)).toSorted()
}

const name = fc.constantFrom('a', 'b')
const command = fc.oneof(
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(60) }),
  fc.record({ do: fc.constant('acquire' as const), name, holder: name }),
  fc.record({ do: fc.constant('renew' as const), pick: fc.nat() }),
  fc.record({ do: fc.constant('hit' as const), limit: fc.integer({ min: 1, max: 7 }) }),
  fc.record({
    do: fc.constantFrom('take' as const, 'give back' as const),
    name,
    amount: fc.integer({ min: 1, max: 4 }),
  }),
)
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never
type Store = LockStore & LimitStore

/** What a store answers to commands, one after the other. */
async function answersOf(store: Store, commands: readonly Command[]): Promise<unknown[]> {
  const grants: LockGrant[] = []
  const answers: unknown[] = []
  let now = T0
  for (const c of commands) {
    if (c.do === 'wait') now += c.ms
    else answers.push(await answerTo(store, c, { now, grants }))
  }
  return answers
}

async function answerTo(
  store: Store,
  c: Exclude<Command, { readonly do: 'wait' }>,
  { now, grants }: { readonly now: number; readonly grants: LockGrant[] },
): Promise<unknown> {
  switch (c.do) {
    case 'acquire': {
      const { name, holder } = c
      const grant = await store.acquireLock({ name, holder, now, leaseMs: 50 })
      if (grant !== undefined) grants.push({ name, holder, ...grant })
      return grant
    }
    case 'renew': {
      const grant = grants[c.pick % Math.max(1, grants.length)]
      return grant && (await store.renewLock({ ...grant, now, leaseMs: 50 }))
    }
    case 'hit':
      return store.hit({ key: String(c.limit), now, limit: c.limit, windowMs: 100 })
    default: {
      const quota = { key: c.name, period: { from: T0, until: T0 + HOUR_MS }, now }
      if (c.do === 'take') return store.takeQuota({ ...quota, amount: c.amount, limit: 5 })
      await store.giveBackQuota({ ...quota, amount: c.amount })
      return store.readQuota(quota)
    }
  }
}

describe('locks, rate limits and quotas in Redis', () => {
  it('answer as those in memory do, whatever the order of calls (L1 to L8)', async () => {
    const redis = connect()
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 60, size: 'max' }), async (commands) => {
        const memory = await answersOf(new MemoryStorage(), commands)
        const limits = new RedisLimits(new ScriptRunner(redis, freshKeys()))
        expect(await answersOf(limits, commands)).toEqual(memory)
      }),
      { numRuns: 100 },
    )
  })

  it('leave no key that stays for ever, but for the number of the last token', async () => {
    const redis = connect()
    const prefix = freshKeys()
    const limits = new RedisLimits(new ScriptRunner(redis, prefix))
    await limits.acquireLock({ name: 'sweeper', holder: 'a', now: T0, leaseMs: 5_000 })
    await limits.hit({ key: 'client:create', now: T0, limit: 10, windowMs: 60_000 })
    const period = { from: T0, until: T0 + 100_000 }
    await limits.takeQuota({ key: 'client', period, now: T0, amount: 1, limit: 5 })
    const quota = `quota:client:${String(T0)}`
    const keys = await keysBelow(redis, prefix)
    expect(keys).toEqual(['fence', 'lock:sweeper', quota, 'rate:client:create'])
    const left = async (key: string): Promise<number> => (await redis.pttl(prefix + key)) - HOUR_MS
    expect(await left('lock:sweeper')).toBeLessThanOrEqual(5_000)
    expect(await left('lock:sweeper')).toBeGreaterThan(0)
    // One hit of ten has leaked after a tenth of the window.
    expect(await left('rate:client:create')).toBeLessThanOrEqual(6_000)
    expect(await left('rate:client:create')).toBeGreaterThan(0)
    expect(await left(quota)).toBeLessThanOrEqual(100_000)
    expect(await left(quota)).toBeGreaterThan(6_000)
    expect(await redis.pttl(`${prefix}fence`)).toBe(-1)
  })

  it('do not keep a key alive by refusing it (D-47)', async () => {
    const redis = connect()
    const prefix = freshKeys()
    const limits = new RedisLimits(new ScriptRunner(redis, prefix))
    const hit = { key: 'k', now: T0, limit: 1, windowMs: 60_000 }
    await limits.hit(hit)
    await redis.pexpire(`${prefix}rate:k`, 50_000)
    expect((await limits.hit(hit)).allowed).toBe(false)
    expect(await redis.pttl(`${prefix}rate:k`)).toBeLessThanOrEqual(50_000)
  })

  it('give greater tokens after a restart, and when all data is lost (L2)', async () => {
    const redis = connect()
    const prefix = freshKeys()
    const claim = { name: 'sweeper', holder: 'a', now: T0, leaseMs: 1 }
    const before = new RedisLimits(new ScriptRunner(redis, prefix))
    const first = await before.acquireLock(claim)
    const after = new RedisLimits(new ScriptRunner(connect(), prefix))
    const second = await after.acquireLock({ ...claim, now: T0 + 1 })
    await redis.del(...(await keysBelow(redis, prefix)).map((key) => prefix + key))
    const third = await after.acquireLock({ ...claim, now: T0 + 1_000 })
    const [a = 0, b = 0, c = 0] = [first, second, third].map((grant) => grant?.token)
    expect(a).toBeGreaterThan(0)
    expect(b).toBeGreaterThan(a)
    expect(c).toBeGreaterThan(b)
  })
})
