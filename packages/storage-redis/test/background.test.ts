/** Webhooks and schedules on Redis: what one orchestrator alone cannot show, and faults. */
import { randomUUID } from 'node:crypto'
import type { Notifier, Plan, Tick, WebhookCall } from '@avtomatika/core'
import { UnavailableError } from '@avtomatika/protocol'
import { Redis } from 'ioredis'
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import {
  aNotification,
  openInstance,
  type BackgroundInstance,
} from './support/background-instance.ts'
import { removeKeys } from './support/open-redis.ts'
import { startRedis, type RedisServer } from './support/redis-server.ts'

const BACKOFF = { initialMs: 5, factor: 1, maxMs: 5, jitter: 0 }
const PATIENCE = { timeout: 15_000, interval: 5 }
const refuse: WebhookCall = async () => ({ kind: 'refused', reason: 'answered 410' })

function aPrefix(): string {
  return `test-${randomUUID()}`
}

/** Instances under one prefix of the Redis of this run. */
function place(prefix = aPrefix()): () => Promise<BackgroundInstance> {
  const redis = asking()
  onTestFinished(() => removeKeys(redis, prefix))
  return () => openInstance(inject('redisUrl'), prefix)
}

function into(called: string[]): WebhookCall {
  return async ({ id }) => {
    called.push(id)
    return { kind: 'delivered' }
  }
}

/** A receiver that says nothing until the caller hangs up, or it is let go. */
function silent(called: string[]): WebhookCall {
  return ({ id }, signal) => {
    called.push(id)
    return new Promise((resolve) => {
      signal?.addEventListener('abort', () => resolve({ kind: 'again', reason: 'interrupted' }))
    })
  }
}

async function ownRedis(): Promise<RedisServer> {
  const server = await startRedis({ appendonly: 'always' })
  onTestFinished(() => server.stop())
  return server
}

function asking(): Redis {
  const redis = new Redis(inject('redisUrl'))
  onTestFinished(() => void redis.disconnect())
  return redis
}

async function deadIds(notifier: Notifier): Promise<string[]> {
  return (await notifier.listDeadLetters({ limit: 100 })).map(({ id }) => id)
}

function every(ms: number, name = 'often'): Plan {
  return { name, timing: { everyMs: ms } }
}

const moments = (ticks: readonly Tick[]): number[] => ticks.map(({ at }) => at)

describe('webhooks of several orchestrators', () => {
  it('are delivered by another one when the one that had them stops', async () => {
    const open = place()
    const [first, second] = [await open(), await open()]
    const [stuck, called]: [string[], string[]] = [[], []]
    const stopping = first.notifier({ call: silent(stuck) })
    await stopping.notify(aNotification('a:1:0'))
    await vi.waitFor(() => expect(stuck).toEqual(['a:1:0']), PATIENCE)
    second.notifier({ call: into(called) })
    await stopping.stop(10)
    await vi.waitFor(() => expect(called).toEqual(['a:1:0']), PATIENCE)
    expect(await deadIds(second.notifier({ call: into(called) }))).toEqual([])
  })

  it('are delivered by another one when the one that had them is killed (D-71)', async () => {
    const open = place()
    const [first, second] = [await open(), await open()]
    const [stuck, called]: [string[], string[]] = [[], []]
    const dying = first.notifier({ call: silent(stuck), lockMs: 500 })
    for (const id of ['a:1:0', 'b:1:0', 'c:1:0']) await dying.notify(aNotification(id))
    await vi.waitFor(() => expect(stuck).toHaveLength(3), PATIENCE)
    first.kill()
    second.notifier({ call: into(called), lockMs: 500 })
    await vi.waitFor(() => expect(called.toSorted()).toEqual(['a:1:0', 'b:1:0', 'c:1:0']), PATIENCE)
  })

  it('that are given up are dead letters for all, and are sent again by any', async () => {
    const open = place()
    const [first, second] = [await open(), await open()]
    const called: string[] = []
    const refusing = first.notifier({ call: refuse })
    await refusing.notify(aNotification('a:1:0'))
    await vi.waitFor(async () => expect(await deadIds(refusing)).toEqual(['a:1:0']), PATIENCE)
    expect(first.lines).toMatchObject([
      { level: 'warn', fields: { host: 'hooks.example.com', attempts: 1, reason: 'answered 410' } },
    ])
    expect(JSON.stringify(first.lines)).not.toContain('secret')
    await refusing.stop()
    const other = second.notifier({ call: into(called) })
    expect(await deadIds(other)).toEqual(['a:1:0'])
    expect(await other.resend('a:1:0')).toBe(true)
    await vi.waitFor(() => expect(called).toEqual(['a:1:0']), PATIENCE)
    expect(await deadIds(other)).toEqual([])
  })

  it('are sent once when their notification comes again right after', async () => {
    const open = place()
    const called: string[] = []
    const notifier = (await open()).notifier({ call: into(called) })
    await notifier.notify(aNotification('a:1:0'))
    await vi.waitFor(() => expect(called).toEqual(['a:1:0']), PATIENCE)
    await notifier.notify(aNotification('a:1:0'))
    await notifier.notify(aNotification('b:1:0'))
    await vi.waitFor(() => expect(called).toContain('b:1:0'), PATIENCE)
    expect(called).toEqual(['a:1:0', 'b:1:0'])
  })

  it('need one connection for commands and one to wait on, and keys in one slot', async () => {
    const prefix = aPrefix()
    const instance = await place(prefix)()
    const redis = asking()
    const before = await addresses(redis)
    const called: string[] = []
    const notifier = instance.notifier({ call: into(called) })
    await notifier.notify(aNotification('a:1:0'))
    await vi.waitFor(() => expect(called).toEqual(['a:1:0']), PATIENCE)
    const added = (await addresses(redis)).filter((address) => !before.includes(address))
    expect(added).toHaveLength(1)
    await notifier.stop()
    await vi.waitFor(async () => expect(await addresses(redis)).not.toContain(added[0]), PATIENCE)
    const keys = await redis.keys(`${prefix}*`)
    expect(keys.length).toBeGreaterThan(0)
    expect(keys.filter((key) => !key.startsWith(`${prefix}:{0}:bull:`))).toEqual([])
  })
})

/** Of the clients there are. */
async function addresses(redis: Redis): Promise<string[]> {
  const list = String(await redis.call('CLIENT', 'LIST'))
  return list.match(/(?<= addr=)\S+/g) ?? []
}

describe('schedules of several orchestrators', () => {
  it('fire once per tick: 20 ticks, three orchestrators (D-72)', async () => {
    const open = place()
    const ticks: Tick[] = []
    for (const instance of [await open(), await open(), await open()]) {
      instance.scheduler().start([every(100)], async (tick) => void ticks.push(tick))
    }
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(20), PATIENCE)
    const all = moments(ticks)
    expect(new Set(all).size, String(all)).toBe(all.length)
    expect(all.every((at) => at % 100 === 0)).toBe(true)
  })

  it('go on when the one that handled a tick is killed', async () => {
    const open = place()
    const [first, second] = [await open(), await open()]
    const ticks: Tick[] = []
    let taken: Tick | undefined
    first.scheduler({ lockMs: 500 }).start([every(200)], (tick) => {
      taken ??= tick
      return new Promise(() => undefined)
    })
    await vi.waitFor(() => expect(taken).toBeDefined(), PATIENCE)
    first.kill()
    const taking = second.scheduler({ lockMs: 500 })
    taking.start([every(200)], async (tick) => void ticks.push(tick))
    await vi.waitFor(() => expect(moments(ticks)).toContain(taken?.at), PATIENCE)
    const before = ticks.length
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(before + 2), PATIENCE)
  })

  it('make up once, late, for what came due while nobody ran', async () => {
    const open = place()
    const ticks: Tick[] = []
    const scheduler = (await open()).scheduler()
    scheduler.start([every(300)], async (tick) => void ticks.push(tick))
    await vi.waitFor(() => expect(ticks).toHaveLength(1), PATIENCE)
    await scheduler.stop()
    const [stopped] = moments(ticks.splice(0)).toReversed()
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan((stopped ?? 0) + 1_300), PATIENCE)
    const again = (await open()).scheduler()
    again.start([every(300)], async (tick) => void ticks.push(tick))
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(2), PATIENCE)
    const [late, next] = moments(ticks)
    expect(late).toBe((stopped ?? 0) + 300)
    expect((next ?? 0) - (late ?? 0), 'the others that passed').toBeGreaterThanOrEqual(900)
  })

  it('that are gone from the configuration are forgotten, and changed ones change', async () => {
    const open = place()
    const ticks: Tick[] = []
    const onTick = async (tick: Tick): Promise<void> => void ticks.push(tick)
    const before = (await open()).scheduler()
    before.start([every(50, 'gone'), every(86_400_000, 'changed')], onTick)
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(2), PATIENCE)
    await before.stop()
    ticks.splice(0)
    const after = (await open()).scheduler()
    after.start([every(50, 'changed')], onTick)
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(5), PATIENCE)
    expect(new Set(ticks.map(({ name }) => name))).toEqual(new Set(['changed']))
  })

  it('that only newer orchestrators know are left for them', async () => {
    const open = place()
    const [older, newer] = [await open(), await open()]
    const ticks: Tick[] = []
    older.scheduler().start([every(50, 'known')], async () => undefined)
    const plans = [every(50, 'known'), every(250, 'new')]
    newer.scheduler().start(plans, async (tick) => {
      if (tick.name === 'new') ticks.push(tick)
    })
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(4), PATIENCE)
    expect(older.lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('a Redis that goes away', () => {
  it('makes notifying fail at once, for the caller to try again, and nothing crash', async () => {
    const server = await ownRedis()
    const instance = await openInstance(server.url, 'avt')
    const called: string[] = []
    const notifier = instance.notifier({ call: into(called) })
    await notifier.notify(aNotification('before:1:0'))
    await vi.waitFor(() => expect(called).toEqual(['before:1:0']), PATIENCE)
    await server.kill('SIGKILL')
    const startedAt = performance.now()
    await vi.waitFor(async () => {
      await expect(notifier.notify(aNotification('a:1:0'))).rejects.toSatisfy(UnavailableError.is)
    }, PATIENCE)
    await expect(notifier.listDeadLetters({ limit: 1 })).rejects.toSatisfy(UnavailableError.is)
    await expect(notifier.resend('x')).rejects.toSatisfy(UnavailableError.is)
    expect(performance.now() - startedAt).toBeLessThan(6_000)
    await server.restart()
    await vi.waitFor(() => notifier.notify(aNotification('b:1:0')), PATIENCE)
    await vi.waitFor(() => expect(called).toContain('b:1:0'), PATIENCE)
    expect(JSON.stringify(instance.lines)).not.toContain('secret')
  })

  it('loses neither what waits for delivery nor the schedules, and floods no log', async () => {
    const server = await ownRedis()
    const instance = await openInstance(server.url, 'avt')
    const called: string[] = []
    const ticks: Tick[] = []
    let isReceiverUp = false
    const call: WebhookCall = async ({ id }) => {
      if (!isReceiverUp) return { kind: 'again', reason: 'answered 503' }
      called.push(id)
      return { kind: 'delivered' }
    }
    const backoff = { ...BACKOFF, initialMs: 200, maxMs: 200 }
    const notifier = instance.notifier({ call, attempts: 100, backoff, lockMs: 1_000 })
    instance.scheduler({ lockMs: 1_000 }).start([every(100)], async (tick) => {
      ticks.push(tick)
    })
    const ids = Array.from({ length: 30 }, (_, i) => `n${String(i)}:1:0`)
    for (const id of ids) await notifier.notify(aNotification(id))
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(2), PATIENCE)
    await server.kill('SIGKILL')
    isReceiverUp = true
    const before = ticks.length
    const downUntil = Date.now() + 1_000
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(downUntil), PATIENCE)
    await server.restart()
    await vi.waitFor(() => expect(new Set(called)).toEqual(new Set(ids)), PATIENCE)
    // One whose end was not written before the cut may come twice (T2): its job has a key.
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(before + 3), PATIENCE)
    expect(instance.lines.length).toBeLessThan(200)
    const told = instance.lines.filter(({ level }) => level !== 'debug')
    expect(told.length).toBeLessThan(20)
  })

  it('at the start keeps nothing from starting, and the queues begin when it is there', async () => {
    const server = await ownRedis()
    await server.kill('SIGKILL')
    const instance = await openInstance(server.url, 'avt')
    const called: string[] = []
    const ticks: Tick[] = []
    const notifier = instance.notifier({ call: into(called) })
    instance.scheduler().start([every(100)], async (tick) => void ticks.push(tick))
    await expect(notifier.notify(aNotification('a:1:0'))).rejects.toSatisfy(UnavailableError.is)
    await server.restart()
    await vi.waitFor(() => notifier.notify(aNotification('a:1:0')), PATIENCE)
    await vi.waitFor(() => expect(called).toEqual(['a:1:0']), PATIENCE)
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThanOrEqual(2), PATIENCE)
  })

  it('for good does not keep an orchestrator from stopping', async () => {
    const server = await ownRedis()
    const instance = await openInstance(server.url, 'avt')
    const [called, ticks]: [string[], Tick[]] = [[], []]
    const notifier = instance.notifier({ call: into(called) })
    const scheduler = instance.scheduler()
    scheduler.start([every(50)], async (tick) => void ticks.push(tick))
    await notifier.notify(aNotification('a:1:0'))
    await vi.waitFor(() => expect([called.length, ticks.length > 0]).toEqual([1, true]), PATIENCE)
    await server.kill('SIGKILL')
    await vi.waitFor(async () => {
      await expect(notifier.resend('x')).rejects.toSatisfy(UnavailableError.is)
    }, PATIENCE)
    const startedAt = performance.now()
    await Promise.all([notifier.stop(), scheduler.stop()])
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    instance.kill()
  })
})
