import { afterEach, expect } from 'vitest'

import { AvtomatikaClient } from '../src/index.ts'
import type { ClientOptions } from '../src/index.ts'
import { HandClock } from './hand-clock.ts'
import { ScriptedServer } from './scripted-server.ts'
import type { Line } from './scripted-server.ts'

/** The token of every test's client; must never turn up in an error. */
export const TOKEN = 'tok-very-secret'

/** A client, the server it talks to, and the clock both stand on. */
export interface Scene {
  readonly client: AvtomatikaClient
  readonly server: ScriptedServer
  readonly clock: HandClock
}

const scenes: Scene[] = []

/** Opens a client on a server with this script. Random numbers are 1, so back-off has no jitter. */
export async function aScene(
  script: readonly Line[],
  options: Partial<ClientOptions> = {},
): Promise<Scene> {
  const server = await ScriptedServer.open(...script)
  const clock = new HandClock()
  const defaults = { url: server.url, token: TOKEN, clock, random: () => 1 }
  const scene = { client: new AvtomatikaClient({ ...defaults, ...options }), server, clock }
  scenes.push(scene)
  return scene
}

afterEach(async () => {
  for (const { client, server, clock } of scenes.splice(0)) {
    await client.close()
    await server.close()
    expect(clock.pending, 'a deadline was left running').toEqual([])
  }
})

/** What the promise was rejected with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('It was not rejected.')
}

/** What the function throws. */
export function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('It did not throw.')
}

/** A job document of the current server. */
export function aJobDocument(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 'job-1',
    job_id: 'job-1',
    status: 'running',
    current_state: 'start',
    state: 'start',
    blueprint_name: 'orders',
    blueprint_version: '2',
    initial_data: { items: [1] },
    state_history: {},
    progress: null,
    progress_message: null,
    error_message: null,
    error: null,
    result: null,
    retry_count: 0,
    current_task_id: null,
    task_worker_id: null,
    created_at: '2026-01-01T00:00:00.000Z',
    updated_at: '2026-01-01T00:00:01.000Z',
    finished_at: null,
    ...fields,
  }
}
