import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, it, onTestFinished } from 'vitest'

import { FakeOrchestrator } from './fake-orchestrator.ts'
import { aTask } from './setup.ts'

const PROGRAM = fileURLToPath(new URL('./busy-worker.ts', import.meta.url))

/** A worker in a process of its own: while its handler computes, nothing else of it runs. */
async function openBusyWorker() {
  const directory = await mkdtemp(join(tmpdir(), 'busy-'))
  const server = await FakeOrchestrator.open()
  const file = join(directory, 'enough')
  const child = spawn(process.execPath, ['--conditions=@avtomatika/source', PROGRAM, file], {
    stdio: 'ignore',
    env: {
      ...process.env,
      WORKER_ID: 'w1',
      WORKER_TOKEN: 'secret',
      ORCHESTRATOR_URL: server.url,
      HEARTBEAT_INTERVAL: '0.2',
      WORKER_HEARTBEAT_COOLDOWN: '0.1',
    },
  })
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', resolve)
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
    await server.close()
    await rm(directory, { recursive: true })
    expect(server.violations).toEqual([])
  })
  const stop = async () => {
    child.kill('SIGTERM')
    return exited
  }
  return { server, letEnd: () => writeFile(file, ''), stop }
}

function listing(server: FakeOrchestrator, taskId: string) {
  return server
    .of('heartbeat')
    .filter(({ body }) => (body['current_tasks'] as string[]).includes(taskId))
}

describe('a handler that computes without a pause', () => {
  it('does not stop the heartbeats, and its task is listed from the first on', async () => {
    const { server, letEnd, stop } = await openBusyWorker()
    await server.nth('register', 1)
    server.push(aTask({ type: 'compute' }))
    await server.when(() => listing(server, 't1').length >= 5)
    expect(server.results).toEqual([])
    expect(listing(server, 't1')[0]?.headers).toMatchObject({
      'x-worker-token': 'secret',
      'x-worker-id': 'w1',
    })
    await letEnd()
    await server.nth('result', 1)
    expect(server.results).toMatchObject([{ task_id: 't1', status: 'success' }])
    expect(await stop()).toBe(0)
  }, 20_000)

  it('is beaten for again soon after a failure', async () => {
    const { server, letEnd } = await openBusyWorker()
    await server.nth('register', 1)
    server.push(aTask({ type: 'compute' }))
    await server.when(() => listing(server, 't1').length >= 1)
    const before = server.of('heartbeat').length
    server.script('heartbeat', { status: 500, text: 'oops' }, 'cut', 'cut body', { text: 'junk' })
    await server.when(() => server.of('heartbeat').length >= before + 6)
    await letEnd()
    await server.nth('result', 1)
  }, 20_000)
})
