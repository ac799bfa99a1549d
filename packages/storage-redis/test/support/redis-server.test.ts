import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, it as test } from 'vitest'
import { assertAnswers, askRedis } from './redis-ping.ts'
import { type RedisServer, type RedisServerOptions, startRedis } from './redis-server.ts'

const it = test.extend<{ start: (options?: RedisServerOptions) => Promise<RedisServer> }>({
  start: async ({}, use) => {
    const started: RedisServer[] = []
    await use(async (options) => {
      const server = await startRedis(options)
      started.push(server)
      return server
    })
    await Promise.all(started.map((server) => server.stop()))
  },
})

const ask = ({ port }: { port: number }, line: string) =>
  askRedis({ host: '127.0.0.1', port }, line)

describe('the Redis of a test run', () => {
  test('answers where the tests are told', async () => {
    await expect(assertAnswers(inject('redisUrl'))).resolves.toBeUndefined()
  })

  test('that the environment names wrongly is told without its password', async () => {
    const refused = assertAnswers('redis://user:hunter2@127.0.0.1:1')
    await expect(refused).rejects.toThrow(/127\.0\.0\.1:1, where no Redis answers/)
    await expect(refused).rejects.not.toThrow(/hunter2/)
    await expect(assertAnswers('localhost')).rejects.toThrow(/not a Redis address/)
  })
})

describe('a Redis of a test’s own', () => {
  it('answers, and names its process, port and folder', async ({ start }) => {
    const server = await start()
    expect(await ask(server, 'PING')).toBe('+PONG')
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`)
    expect(existsSync(server.dir)).toBe(true)
    expect(isAlive(server.pid)).toBe(true)
  })

  it('keeps what was written with appendonly when it is killed and started again', async ({
    start,
  }) => {
    const server = await start({ appendonly: 'always' })
    const { pid, port } = server
    expect(await ask(server, 'SET key kept')).toBe('+OK')
    await server.kill('SIGKILL')
    expect(isAlive(pid)).toBe(false)
    await expect(ask(server, 'PING')).rejects.toThrow(/Cannot reach/)
    await server.restart()
    expect(server.pid).not.toBe(pid)
    expect(server.port).toBe(port)
    expect(await ask(server, 'GET key')).toBe('$4\nkept')
  })

  it('begins empty again without appendonly', async ({ start }) => {
    const server = await start()
    await ask(server, 'SET key lost')
    await server.restart()
    expect(await ask(server, 'GET key')).toBe('$-1')
  })

  it('is silent while suspended, and goes on when woken', async ({ start }) => {
    const server = await start()
    await server.kill('SIGSTOP')
    await expect(ask(server, 'PING')).rejects.toThrow(/did not answer/)
    await server.kill('SIGCONT')
    expect(await ask(server, 'PING')).toBe('+PONG')
  })

  it('leaves no process and no folder when stopped, even suspended or twice', async ({ start }) => {
    const server = await start({ appendonly: 'always' })
    await server.kill('SIGSTOP')
    await Promise.all([server.stop(), server.stop()])
    expect(isAlive(server.pid)).toBe(false)
    expect(existsSync(server.dir)).toBe(false)
    await expect(server.restart()).rejects.toThrow(/stopped for good/)
  })

  it('leaves a folder that the test brought', async ({ start, onTestFinished }) => {
    const dir = await mkdtemp(join(tmpdir(), 'avtomatika-own-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    const first = await start({ appendonly: 'always', dir })
    await ask(first, 'SET key kept')
    await first.stop()
    const second = await start({ appendonly: 'always', dir })
    expect(await ask(second, 'GET key')).toBe('$4\nkept')
  })

  it('says why it did not start', async ({ start }) => {
    const { port } = await start()
    await expect(start({ port })).rejects.toThrow(/Address already in use/)
  })

  it('does not outlive a test process that is killed', async () => {
    const orphan = await startInKilledProcess()
    await expect(ask(orphan, 'PING')).rejects.toThrow(/Cannot reach/)
    expect(existsSync(orphan.dir)).toBe(false)
  })
})

/**
 * A process starts a server and is killed. Resolves when the server has hung up and the guard, which shares the
 * process's error output, has ended too.
 */
async function startInKilledProcess(): Promise<{ port: number; dir: string }> {
  const program = `
    import { startRedis } from '${new URL('redis-server.ts', import.meta.url).href}'
    const { port, dir } = await startRedis()
    process.stdout.write(JSON.stringify({ port, dir }))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  child.stderr.resume()
  const [told] = await once(child.stdout, 'data')
  const server = JSON.parse(String(told))
  const watcher = connect({ host: '127.0.0.1', port: server.port }).resume()
  await once(watcher, 'connect')
  const ends = [once(watcher, 'close'), once(child, 'close')]
  child.kill('SIGKILL')
  await Promise.all(ends)
  return server
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
