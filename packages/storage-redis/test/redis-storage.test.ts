/** What only a store outside of the process can get wrong. */
import { randomUUID } from 'node:crypto'
import { UnavailableError } from '@avtomatika/protocol'
import { aJob, aMessage, aTask, T0 } from '@avtomatika/core/testing'
import { classIdOf, type CommitEntry, type Hint } from '@avtomatika/core'
import { Redis } from 'ioredis'
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import { isOlder, versionIn } from '../src/check-server.ts'
import { RedisStorage } from '../src/index.ts'
import { offsetOf } from '../src/redis-clock.ts'
import { startRedis } from './support/redis-server.ts'

async function open(prefix: string, url = inject('redisUrl')): Promise<RedisStorage> {
  const storage = await RedisStorage.open({ url, prefix })
  onTestFinished(() => storage.close())
  return storage
}

function connection(): Redis {
  const redis = new Redis(inject('redisUrl'))
  onTestFinished(() => {
    redis.disconnect()
  })
  return redis
}

function creation(id: string, effects: CommitEntry['effects'] = []): CommitEntry {
  return { job: aJob({ id }), expectedVersion: 0, effects }
}

describe('two stores on one Redis', () => {
  it('see each other’s jobs at once, and only one of them writes a version', async () => {
    const prefix = randomUUID()
    const [one, two] = [await open(prefix), await open(prefix)]
    await one.commit([creation('job-1')])
    expect(await two.findJob('job-1')).toEqual(aJob({ id: 'job-1' }))
    const change = { job: aJob({ id: 'job-1', version: 2 }), expectedVersion: 1, effects: [] }
    const outcomes = await Promise.all([one.commit([change]), two.commit([change])])
    expect(
      outcomes
        .flat()
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['committed', 'conflict'])
  })

  it('tell each other what there is to do, each of them once', async () => {
    const prefix = randomUUID()
    const [one, two] = [await open(prefix), await open(prefix)]
    const heard: Record<'one' | 'two', Hint[]> = { one: [], two: [] }
    one.onHint((hint) => heard.one.push(hint))
    two.onHint((hint) => heard.two.push(hint))
    const task = aTask({ avoid: { workerId: 'w', until: T0 } })
    await one.commit([
      creation('job-1', [
        { kind: 'offer_task', task },
        { kind: 'send', message: aMessage() },
        { kind: 'set_deadline', key: 'job', at: T0 + 5 },
      ]),
    ])
    const expected = [
      { kind: 'task', classId: 'resize', demand: { type: 'resize' }, openToAllAt: T0 },
      { kind: 'deadline', at: T0 + 5 },
      { kind: 'message' },
    ]
    await vi.waitFor(() => {
      expect(heard.two).toEqual(expected)
    })
    expect(heard.one).toEqual(expected)
  })

  it('tell each other whom a task is reserved for, and what it demands to the letter', async () => {
    const prefix = randomUUID()
    const [one, two] = [await open(prefix), await open(prefix)]
    const heard: Record<'one' | 'two', Hint[]> = { one: [], two: [] }
    one.onHint((hint) => heard.one.push(hint))
    two.onHint((hint) => heard.two.push(hint))
    // What a JSON library in Redis would turn into something else.
    const demand = { type: 'resize', resources: { list: [], object: {}, big: 12_345_678_901_234 } }
    const task = aTask({ demand })
    const reservation = { taskId: task.taskId, choose: 'best', now: T0, until: T0 + 250 } as const
    const entry = creation('job-1', [{ kind: 'offer_task', task }])
    const among = (workerId: string) => [
      { ...reservation, candidates: [{ workerId, capacity: 1 }] },
    ]
    await one.commit([{ ...entry, reservations: among('w "1"') }])
    const offered = { kind: 'task', classId: classIdOf(demand), demand, workerId: 'w "1"' }
    const expected = [offered, { kind: 'deadline', at: T0 + 250 }]
    await vi.waitFor(() => {
      expect(heard.two).toHaveLength(2)
    })
    expect(heard.one).toEqual(expected)
    expect(new Set(heard.two.map((hint) => JSON.stringify(hint)))).toEqual(
      new Set(expected.map((hint) => JSON.stringify(hint))),
    )
  })

  it('with other prefixes do not meet', async () => {
    const [one, two] = [await open(randomUUID()), await open(randomUUID())]
    await one.commit([creation('job-1')])
    expect(await two.findJob('job-1')).toBeUndefined()
  })
})

describe('a store', () => {
  it('goes on when the server has forgotten its scripts', async () => {
    const storage = await open(randomUUID())
    await storage.commit([creation('job-1')])
    await connection().script('FLUSH')
    expect(await storage.commit([creation('job-2')])).toEqual([{ kind: 'committed' }])
  })

  it('keeps all its keys in one slot of a cluster', async () => {
    const prefix = randomUUID()
    const storage = await open(prefix)
    await storage.commit([
      creation('job-1', [
        { kind: 'run_step', stepId: 's' },
        { kind: 'offer_task', task: aTask() },
        { kind: 'set_deadline', key: 'wait', at: T0 },
      ]),
    ])
    const keys = await connection().keys(`${prefix}*`)
    expect(keys.length).toBeGreaterThan(5)
    expect(keys.filter((key) => !key.startsWith(`${prefix}:{0}:`))).toEqual([])
  })
})

describe('a Redis that goes away', () => {
  it('makes calls fail in time, and is found again with everything that was written', async () => {
    const server = await startRedis({ appendonly: 'always' })
    onTestFinished(() => server.stop())
    const storage = await open('avt', server.url)
    await storage.commit([creation('job-1', [{ kind: 'run_step', stepId: 's-1' }])])
    await server.kill('SIGKILL')
    const failure = await storage.commit([creation('job-2')]).catch((error: unknown) => error)
    expect(UnavailableError.is(failure) && failure.code).toBe('STORAGE_UNAVAILABLE')
    await server.restart()
    await vi.waitFor(() => storage.ping(), { timeout: 10_000 })
    expect(await storage.findJob('job-1')).toEqual(aJob({ id: 'job-1' }))
    const claim = { now: T0, leaseMs: 1_000, limit: 9, holder: 'h' }
    expect(await storage.claimSteps(claim)).toMatchObject([{ stepId: 's-1', jobId: 'job-1' }])
  })

  it('is told by name when it is not there at the start, without its password', async () => {
    const url = 'redis://:secret@127.0.0.1:1'
    const failure = await RedisStorage.open({ url }).catch((error: unknown) => error)
    expect(UnavailableError.is(failure) && failure.code).toBe('STORAGE_UNAVAILABLE')
    expect(String(failure)).not.toContain('secret')
  })
})

describe('the version of a server', () => {
  it.each([
    ['6.0.16', true],
    ['5.0.14', true],
    ['6.2.0', false],
    ['7.0.15', false],
    ['10.1.0', false],
  ])('%s is too old: %s', (version, expected) => {
    expect(isOlder(version)).toBe(expected)
    expect(versionIn(`# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n`)).toBe(
      version,
    )
  })
})

describe('the clock of a store', () => {
  // D-3, D-5: orchestrators wrote down times of clocks that did not agree.
  it('tells the time of the server (D-3, D-5)', async () => {
    const storage = await open(randomUUID())
    const [seconds] = await connection().time()
    expect(Math.abs(storage.clock.now() - Number(seconds) * 1000)).toBeLessThan(3_000)
  })

  it.each([
    [{ askedAt: 1_000, serverAt: 1_010, answeredAt: 1_020 }, 0],
    [{ askedAt: 1_000, serverAt: 61_000, answeredAt: 1_000 }, 60_000],
    [{ askedAt: 5_000, serverAt: 1_000, answeredAt: 5_100 }, -4_050],
  ])('takes the way there to be as long as the way back: %j is %d ms ahead', (said, ahead) => {
    expect(offsetOf(said)).toBe(ahead)
  })
})
