/** A Redis of one's own, as a real process that a test may kill, suspend and start again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { guardProcess, type ProcessGuard } from './process-guard.ts'
import { redisBinary } from './redis-binary.ts'

const HOST = '127.0.0.1'
const READY = 'Ready to accept connections'
const READY_WITHIN_MS = 10_000
const SIGNALS_THAT_END_NOTHING: ReadonlySet<NodeJS.Signals> = new Set(['SIGSTOP', 'SIGCONT'])
/** How much of the server's log a failure shows. */
const LOG_TAIL_CHARS = 2_000

export interface RedisServerOptions {
  /** `always`: each write is on disk before it is answered. Default `no`: a restart begins empty. */
  readonly appendonly?: 'always' | 'no'
  /** Default: a free one. */
  readonly port?: number
  /** Where data lies; made if missing and left in place by `stop`. Default: a scratch folder that `stop` removes. */
  readonly dir?: string
  /** More settings, as on a command line: `['--tls-port', '7000']`. */
  readonly settings?: readonly string[]
}

export interface RedisServer {
  readonly url: string
  /** Of the process that runs, or ran last. Another one after `restart`. */
  readonly pid: number
  readonly port: number
  readonly dir: string
  /** Sends a signal; waits for the process to end, unless the signal suspends or wakes it (`SIGSTOP`, `SIGCONT`). */
  readonly kill: (signal: NodeJS.Signals) => Promise<void>
  /** Starts again with the same port and folder, killing the process first if it still runs. Resolves when it answers. */
  readonly restart: () => Promise<void>
  /** Kills the process and removes its scratch folder. Calling it again does nothing. */
  readonly stop: () => Promise<void>
}

/**
 * Starts a redis-server of this machine on a loopback port. Resolves when it takes connections.
 *
 * @throws when there is no binary, or the server does not get ready; the message has the end of its log.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { appendonly = 'no', dir, settings = [] } = options
  const binary = await redisBinary()
  const port = options.port ?? (await freePort())
  if (dir !== undefined) await mkdir(dir, { recursive: true })
  const home = dir ?? (await mkdtemp(join(tmpdir(), 'avtomatika-redis-')))
  const guard = guardProcess(dir === undefined ? home : undefined)
  const launch = () =>
    launchRedis({ command: [binary, ...args({ port, home, appendonly }), ...settings], guard })
  try {
    return serverOf({ first: await launch(), launch, guard, port, dir: home })
  } catch (error) {
    await guard.close()
    throw error
  }
}

function args(settings: { port: number; home: string; appendonly: 'always' | 'no' }): string[] {
  const { port, home, appendonly } = settings
  const durable = appendonly === 'always'
  const listen = ['--bind', HOST, '--port', `${port}`, '--dir', home, '--logfile', '']
  const keep = ['--save', '', '--appendonly', durable ? 'yes' : 'no']
  return [...listen, ...keep, ...(durable ? ['--appendfsync', 'always'] : [])]
}

interface RunningRedis {
  readonly pid: number
  readonly end: (signal: NodeJS.Signals) => Promise<void>
}

function serverOf(parts: {
  readonly first: RunningRedis
  readonly launch: () => Promise<RunningRedis>
  readonly guard: ProcessGuard
  readonly port: number
  readonly dir: string
}): RedisServer {
  const { first, launch, guard, port, dir } = parts
  let running = first
  let stopped: Promise<void> | undefined
  const end = async () => {
    await running.end('SIGKILL')
    await guard.close()
  }
  return {
    url: `redis://${HOST}:${port}`,
    get pid() {
      return running.pid
    },
    port,
    dir,
    kill: (signal) => running.end(signal),
    restart: async () => {
      if (stopped !== undefined) throw new Error('This Redis was stopped for good; start another.')
      await running.end('SIGKILL')
      running = await launch()
    },
    stop: () => (stopped ??= end()),
  }
}

async function launchRedis(how: {
  readonly command: readonly [string, ...string[]]
  readonly guard: ProcessGuard
}): Promise<RunningRedis> {
  const [binary, ...rest] = how.command
  const child = spawn(binary, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  how.guard.watch(child.pid)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      how.guard.watch(undefined)
      resolve()
    })
  })
  await untilReady(child)
  return { pid: child.pid ?? 0, end: (signal) => endProcess(child, { signal, exited }) }
}

/** The server says itself when it takes connections, after it has read its append-only files. */
async function untilReady(child: ChildProcess): Promise<void> {
  let log = ''
  let timer: NodeJS.Timeout | undefined
  const ready = new Promise<void>((resolve, reject) => {
    const fail = (what: string, cause?: unknown) =>
      reject(new Error(`redis-server ${what}. Its log ends with:\n${log}`, { cause }))
    // Reads on after the start as well, or the server would block on a full pipe.
    const read = (text: Buffer) => {
      log = (log + text.toString()).slice(-LOG_TAIL_CHARS)
      if (log.includes(READY)) resolve()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('error', (cause) => fail('could not be started', cause))
    child.once('close', (code, signal) =>
      fail(`ended with ${code ?? signal ?? 'no code'} before it was ready`),
    )
    timer = setTimeout(() => fail(`was not ready within ${READY_WITHIN_MS} ms`), READY_WITHIN_MS)
  })
  try {
    await ready
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function endProcess(
  child: ChildProcess,
  how: { readonly signal: NodeJS.Signals; readonly exited: Promise<void> },
): Promise<void> {
  child.kill(how.signal)
  if (!SIGNALS_THAT_END_NOTHING.has(how.signal)) await how.exited
}
