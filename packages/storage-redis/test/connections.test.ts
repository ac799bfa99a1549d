/** How a store finds Redis, logs in, and goes on when Redis comes late, goes, or is another server. */
import { inspect } from 'node:util'
import { ConfigError, UnavailableError } from '@avtomatika/protocol'
import { aJob } from '@avtomatika/core/testing'
import type { Hint } from '@avtomatika/core'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { isOlder, versionIn } from '../src/check-server.ts'
import { pauseMs, type ConnectionLog } from '../src/connection.ts'
import { isReadOnly } from '../src/connection-error.ts'
import { RedisBackground, RedisStorage, type RedisStorageOptions } from '../src/index.ts'
import { makeCertificate, type Certificate } from './support/certificate.ts'
import { freePort } from './support/free-port.ts'
import { startOldRedis } from './support/old-redis.ts'
import { startSentinel } from './support/redis-sentinel.ts'
import { startRedis, type RedisServer, type RedisServerOptions } from './support/redis-server.ts'
import { startProxy, type TcpProxy } from './support/tcp-proxy.ts'
import { startTlsProxy } from './support/tls-proxy.ts'

const HOST = '127.0.0.1'
const PASSWORD = 'correct-horse'

/** Keeps what it is told, all of it. */
class Lines implements ConnectionLog {
  readonly warnings: string[] = []
  #all = ''

  debug(fields: object, message: string): void {
    this.#all += inspect({ fields, message }, INSIDE_OUT)
  }

  info(fields: object, message: string): void {
    this.debug(fields, message)
  }

  warn(fields: object, message: string): void {
    this.debug(fields, message)
    this.warnings.push(message)
  }

  get all(): string {
    return this.#all
  }
}

const INSIDE_OUT = { depth: 12, showHidden: true } as const

async function open(options: RedisStorageOptions): Promise<RedisStorage> {
  const storage = await RedisStorage.open(options)
  onTestFinished(() => storage.close())
  return storage
}

async function redis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options)
  onTestFinished(() => server.stop())
  return server
}

async function proxyTo(server: RedisServer): Promise<TcpProxy> {
  const proxy = await startProxy(server.port)
  onTestFinished(() => proxy.close())
  return proxy
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('It worked.')
}

async function assertWorks(storage: RedisStorage, jobId = 'job-1'): Promise<void> {
  const entry = { job: aJob({ id: jobId }), expectedVersion: 0, effects: [] }
  expect(await storage.commit([entry])).toEqual([{ kind: 'committed' }])
  expect(await storage.findJob(jobId)).toMatchObject({ id: jobId })
}

describe('a Redis that wants a login', () => {
  const acl = [
    '--user',
    'jobs',
    'on',
    `>${PASSWORD}`,
    '~*',
    '&*',
    '+@all',
    '--user',
    'default',
    'off',
  ]

  it('is used with a username and a password, given as parts or as a URL', async () => {
    const { port } = await redis({ settings: acl })
    await assertWorks(await open({ host: HOST, port, username: 'jobs', password: PASSWORD }))
    const url = `redis://jobs:${PASSWORD}@${HOST}:${port}/1`
    await assertWorks(await open({ url }))
  })

  it('refuses a wrong password, which nothing and nobody repeats', async () => {
    const { port } = await redis({ settings: acl })
    const log = new Lines()
    const wrong = { host: HOST, port, username: 'jobs', password: 'wrong-horse', log }
    const failure = await failureOf(RedisStorage.open(wrong))
    expect(UnavailableError.is(failure) && failure.code).toBe('STORAGE_UNAVAILABLE')
    expect(inspect(failure, INSIDE_OUT)).toContain('WRONGPASS')
    const waiting = await open({ ...wrong, whenAway: 'retry' })
    await vi.waitFor(() => expect(log.warnings.length).toBeGreaterThan(1))
    const refused = await failureOf(waiting.ping())
    expect(log.warnings[0]).toContain('WRONGPASS')
    const told = log.all + inspect(failure, INSIDE_OUT) + inspect(refused, INSIDE_OUT)
    expect(told).not.toContain('wrong-horse')
  })
})

describe('the look at a server', () => {
  it('takes a Valkey for the Redis that it is like', () => {
    const info = '# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n'
    expect(versionIn(info)).toBe('7.2.4')
    expect(isOlder('7.2.4')).toBe(false)
  })

  it('warns of one that throws keys away', async () => {
    const { url } = await redis({ settings: ['--maxmemory-policy', 'allkeys-lru'] })
    const log = new Lines()
    await open({ url, log })
    expect(log.warnings).toEqual([expect.stringContaining('maxmemory-policy allkeys-lru')])
  })

  it('notes that one does not tell what it throws away', async () => {
    const user = ['--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-config']
    const { url } = await redis({ settings: user })
    const log = new Lines()
    await assertWorks(await open({ url, log }))
    expect(log.warnings).toEqual([])
    expect(log.all).toMatch(/NOPERM[\s\S]*does not tell its maxmemory-policy/)
  })
})

describe('a Redis behind TLS', () => {
  it('is used by those who trust its certificate, and by no others', async () => {
    const certificate = await makeCertificate()
    onTestFinished(() => certificate.remove())
    const port = await tlsPort(certificate)
    const tls = { ca: certificate.cert }
    await assertWorks(await open({ host: HOST, port, tls }), 'job-1')
    await assertWorks(await open({ url: `rediss://${HOST}:${port}`, tls }), 'job-2')
    const failure = await failureOf(RedisStorage.open({ host: HOST, port, tls: true }))
    expect(inspect(failure)).toContain('self-signed certificate')
    await expect(RedisStorage.open({ host: HOST, port })).rejects.toThrow(UnavailableError)
  })

  /** Of the server itself, or of a proxy in front of one that was built without. */
  async function tlsPort({ certFile, keyFile, cert, key }: Certificate): Promise<number> {
    const port = await freePort()
    const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile]
    const settings = ['--tls-port', `${port}`, ...files, '--tls-auth-clients', 'no']
    try {
      await redis({ settings })
      return port
    } catch {
      const plain = await redis()
      const proxy = await startTlsProxy({ targetPort: plain.port, cert, key })
      onTestFinished(() => proxy.close())
      return proxy.port
    }
  }
})

describe('a Redis that sentinels watch', () => {
  it('is used again when its replica has taken over', { timeout: 40_000 }, async () => {
    const master = await redis({ settings: ['--repl-diskless-sync-delay', '0'] })
    await redis({ settings: ['--replicaof', HOST, `${master.port}`] })
    const sentinel = await startSentinel({ name: 'jobs', port: master.port })
    onTestFinished(() => sentinel.stop())
    const direct = new Redis(master.url)
    onTestFinished(() => direct.disconnect())
    direct.on('error', () => undefined)
    await vi.waitFor(async () => expect(await direct.wait(1, 1_000)).toBe(1), 10_000)

    const storage = await open({ sentinels: [{ host: HOST, port: sentinel.port }], name: 'jobs' })
    await assertWorks(storage)
    // A connection waits for what it wrote itself, and so for all that was written before.
    await direct.set('last', 'word')
    expect(await direct.wait(1, 5_000)).toBe(1)
    await master.kill('SIGKILL')
    const killedAt = performance.now()
    await vi.waitFor(() => assertWorks(storage, 'job-2'), { timeout: 30_000 })
    const seconds = ((performance.now() - killedAt) / 1_000).toFixed(1)
    process.stdout.write(`failover: the store works again after ${seconds} s\n`)
    expect(await storage.findJob('job-1')).toMatchObject({ id: 'job-1' })
  })
})

describe('a store that waits for Redis', () => {
  it('refuses every call, tells each try without credentials, and begins when Redis is there', async () => {
    const port = await freePort()
    const log = new Lines()
    const url = `redis://:${PASSWORD}@${HOST}:${port}`
    const storage = await open({ url, whenAway: 'retry', log })
    const heard: Hint[] = []
    storage.onHint((hint) => heard.push(hint))
    const failure = await failureOf(storage.findJob('job-1'))
    expect(UnavailableError.is(failure) && failure.code).toBe('STORAGE_UNAVAILABLE')
    await vi.waitFor(() => expect(log.warnings.length).toBeGreaterThan(2), 5_000)
    expect(log.warnings[0]).toMatch(
      new RegExp(`^Redis at ${HOST}:${port} cannot be reached \\(.*ECONNREFUSED`),
    )
    expect(log.all).not.toContain(PASSWORD)

    await redis({ port, settings: ['--requirepass', PASSWORD] })
    await storage.ready
    await assertWorks(storage)
    // Whoever looked while it was away is not to wait for the next slow tick.
    await vi.waitFor(() => {
      expect(heard.map(({ kind }) => kind)).toEqual(
        expect.arrayContaining(['step', 'deadline', 'record', 'message', 'worker_tokens']),
      )
    })
  })

  it('says so when the Redis that comes is too old, and lets nothing through', async () => {
    const old = await startOldRedis('5.0.14')
    onTestFinished(() => old.close())
    const storage = await open({ host: HOST, port: old.port, whenAway: 'retry' })
    const failure = await failureOf(storage.ready)
    expect(ConfigError.is(failure) && failure.message).toContain('Redis 5.0.14 is too old')
    await expect(storage.ping()).rejects.toThrow(UnavailableError)
    await expect(RedisStorage.open({ host: HOST, port: old.port })).rejects.toThrow(ConfigError)
  })

  it('can be closed while it waits', async () => {
    const storage = await open({ host: HOST, port: await freePort(), whenAway: 'retry' })
    await storage.close()
    await expect(storage.ready).rejects.toThrow(UnavailableError)
    await expect(storage.ping()).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
  })
})

describe('a connection that dies without a word', { timeout: 40_000 }, () => {
  it('is replaced within 10 s, for calls and for hints', async () => {
    const server = await redis()
    const proxy = await proxyTo(server)
    const one = await open({ host: HOST, port: server.port })
    const two = await open({ host: HOST, port: proxy.port })
    const heard: Hint[] = []
    two.onHint((hint) => heard.push(hint))
    proxy.set({ kind: 'half-open' })
    await expect(two.ping()).rejects.toThrow(UnavailableError)
    proxy.set({ kind: 'none' })
    const healedAt = performance.now()
    await vi.waitFor(() => two.ping(), { timeout: 10_000 })
    await vi.waitFor(
      async () => {
        const at = heard.length
        await one.commit([creationOf(`job-${at}-${Math.round(performance.now())}`)])
        expect(heard.filter((hint) => hint.kind === 'deadline' && hint.at === 5)).not.toEqual([])
      },
      { timeout: 10_000 },
    )
    const seconds = (performance.now() - healedAt) / 1_000
    process.stdout.write(`half-open: calls and hints again ${seconds.toFixed(1)} s after healing\n`)
    expect(seconds).toBeLessThan(10)
  })

  function creationOf(id: string): Parameters<RedisStorage['commit']>[0][number] {
    const effects = [{ kind: 'set_deadline', key: 'job', at: 5 }] as const
    return { job: aJob({ id }), expectedVersion: 0, effects }
  }
})

describe('a database that the server refuses', () => {
  // Our client would go on in database 0, among somebody else's jobs.
  it('is no reason to use another one', async () => {
    const server = await redis({ settings: ['--databases', '2'] })
    const log = new Lines()
    const refused = { host: HOST, port: server.port, db: 7, log }
    const failure = await failureOf(RedisStorage.open(refused))
    expect(inspect(failure, INSIDE_OUT)).toContain('DB index is out of range')
    const waiting = await open({ ...refused, whenAway: 'retry' })
    const background = await RedisBackground.open({ host: HOST, port: server.port, db: 7 })
    onTestFinished(() => background.close())
    const notifier = background.notifier()
    onTestFinished(() => notifier.stop())
    await vi.waitFor(() => expect(log.warnings.length).toBeGreaterThan(2))
    expect(log.warnings.at(-1)).toContain('DB index is out of range')
    await expect(waiting.ping()).rejects.toThrow(UnavailableError)
    const direct = new Redis(server.url)
    onTestFinished(() => direct.disconnect())
    expect(await direct.dbsize()).toBe(0)
  })
})

describe('a server that has become a replica', () => {
  it.each([
    ["READONLY You can't write against a read only replica.", true],
    [
      "ERR Error running script (call to f_1): @user_script:8: @user_script: 8: -READONLY You can't write against a read only replica.",
      true,
    ],
    ['NOREADONLY at all', false],
    ['OOM command not allowed', false],
  ])('is known by what it says: %s', (message, expected) => {
    expect(isReadOnly(new Error(message))).toBe(expected)
  })
})

describe('the pause between two tries', () => {
  it.each([
    [1, 0, 100],
    [1, 1, 50],
    [3, 0, 400],
    [30, 0, 2_000],
    [30, 1, 1_000],
  ])('after %d failures, by chance %d: %d ms', (attempt, chance, expected) => {
    expect(pauseMs(attempt, chance)).toBe(expected)
  })
})
