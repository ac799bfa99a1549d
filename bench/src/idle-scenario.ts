/** Workers that wait: what they cost in memory, and what they cost the store. */
import { Agent, request } from 'node:http'
import { startChild, type Child } from './child.ts'
import { countRoundTrips } from './redis-costs.ts'

export interface IdleFigures {
  readonly workers: number
  /** What a worker that waits holds of the orchestrator's heap, in bytes. */
  readonly heapPerWorker: number
  /** What the orchestrator's process grew by per worker, in bytes: sockets, and what V8 has not given back. */
  readonly residentPerWorker: number
  /** Commands to Redis per second for all of them together; with Redis only. */
  readonly commandsPerSecond?: number
}

/** Long enough for several looks of the orchestrator, shorter than a poll. */
const WATCH_MS = 10_000
const AT_A_TIME = 50
const WARM_UP = 4_000

export async function idleScenario(workers: number, redisUrl?: string): Promise<IdleFigures> {
  const orchestrator = await startChild(
    './orchestrator-process.ts',
    redisUrl === undefined ? [] : [redisUrl],
    ['--expose-gc'],
  )
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const end = new AbortController()
  try {
    const fleet = new Fleet(orchestrator.said, agent)
    // What the process grows by under its first load is no worker’s: V8 gives itself more room once.
    await fleet.wait('first', WARM_UP, end.signal)
    const before = await memoryOf(orchestrator)
    await fleet.wait('idle', workers, end.signal)
    const after = await memoryOf(orchestrator)
    const figures = {
      workers,
      heapPerWorker: (after.heap - before.heap) / workers,
      residentPerWorker: (after.resident - before.resident) / workers,
    }
    if (redisUrl === undefined) return figures
    const commands = await countRoundTrips(redisUrl, pause)
    return { ...figures, commandsPerSecond: commands / (WATCH_MS / 1000) }
  } finally {
    end.abort()
    agent.destroy()
    await orchestrator.stop()
  }
}

interface Memory {
  readonly heap: number
  readonly resident: number
}

/** What the process takes of the machine's memory, after it has tidied up, in bytes. */
async function memoryOf(orchestrator: Child): Promise<Memory> {
  return JSON.parse(await orchestrator.ask('memory')) as Memory
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, WATCH_MS))
}

/** Bare requests: thousands of SDKs would not fit into one process. */
class Fleet {
  readonly #url: string
  readonly #agent: Agent

  constructor(url: string, agent: Agent) {
    this.#url = url
    this.#agent = agent
  }

  /** Registers workers and has them wait for a task until the scenario ends. */
  async wait(name: string, count: number, signal: AbortSignal): Promise<void> {
    const ids = Array.from({ length: count }, (_, n) => `${name}-${String(n)}`)
    const lane = async (): Promise<void> => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
        await this.#register(id)
        await this.#poll(id, signal)
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, lane))
  }

  #register(id: string): Promise<void> {
    const body = JSON.stringify({ worker_id: id, supported_tasks: ['echo'] })
    return new Promise((resolve, reject) => {
      const headers = { 'x-worker-token': 'bench', 'content-type': 'application/json' }
      const options = { method: 'POST', headers, agent: this.#agent }
      const outgoing = request(`${this.#url}/_worker/workers/register`, options, (response) => {
        response.resume()
        response.on('end', resolve)
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  /** Resolves when the poll has been sent. */
  #poll(id: string, signal: AbortSignal): Promise<void> {
    const headers = { 'x-worker-token': 'bench' }
    const options = { headers, agent: this.#agent, signal }
    const path = `/_worker/workers/${id}/tasks/next?timeout=120`
    const outgoing = request(`${this.#url}${path}`, options, (response) => {
      response.resume()
    })
    // Its end is the end of the scenario.
    outgoing.on('error', () => undefined)
    return new Promise((resolve) => {
      outgoing.on('finish', resolve)
      outgoing.end()
    })
  }
}
