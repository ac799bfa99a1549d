/** A sentinel of one's own, which watches a master and makes a replica the master when that dies. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { guardProcess } from './process-guard.ts'
import { redisBinary } from './redis-binary.ts'

const HOST = '127.0.0.1'

export interface RedisSentinel {
  readonly port: number
  /** Kills the process and removes its folder. */
  readonly stop: () => Promise<void>
}

export interface WatchedMaster {
  readonly name: string
  readonly port: number
}

/** Starts one that decides alone. Resolves when it knows a replica, and so could act. */
export async function startSentinel(master: WatchedMaster): Promise<RedisSentinel> {
  const binary = await redisBinary()
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'avtomatika-sentinel-'))
  const file = join(dir, 'sentinel.conf')
  await writeFile(file, settingsOf(master, { port, dir }))
  const guard = guardProcess(dir)
  const child = spawn(binary, [file, '--sentinel'], { stdio: ['ignore', 'pipe', 'inherit'] })
  guard.watch(child.pid)
  await untilSaid(child, '+slave')
  return { port, stop: () => guard.close() }
}

function settingsOf({ name, port }: WatchedMaster, own: { port: number; dir: string }): string {
  return [
    `bind ${HOST}`,
    `port ${own.port}`,
    `dir ${own.dir}`,
    `sentinel monitor ${name} ${HOST} ${port} 1`,
    `sentinel down-after-milliseconds ${name} 1000`,
    `sentinel failover-timeout ${name} 5000`,
    '',
  ].join('\n')
}

async function untilSaid(child: ChildProcess, word: string): Promise<void> {
  let log = ''
  child.stdout?.on('data', (text: Buffer) => {
    log += text.toString()
  })
  const ended = once(child, 'close').then(() => {
    throw new Error(`The sentinel ended before it was ready. Its log:\n${log}`)
  })
  // It is killed in the end, when nobody waits any more.
  ended.catch(() => undefined)
  while (!log.includes(word)) {
    await Promise.race([once(child.stdout ?? child, 'data'), ended])
  }
}
