import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { canonicalJson, unsignedFields } from '@avtomatika/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'

import { FakeOrchestrator } from './fake-orchestrator.ts'
import { aTask } from './setup.ts'

const PROGRAM = fileURLToPath(new URL('./busy-worker.ts', import.meta.url))

/** A worker in a process of its own: while its handler computes, nothing else of it runs. */
async function openBusyWorker(env: Readonly<Record<string, string>> = {}) {
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
      ...env,
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

  it('has its heartbeats signed when they are sent, not when they were written', async () => {
    const { server, letEnd } = await openBusyWorker({ WORKER_SIGN_MESSAGES: 'true' })
    await server.nth('register', 1)
    server.push(aTask({ type: 'compute' }))
    await server.when(() => listing(server, 't1').length >= 8)
    await letEnd()
    await server.nth('result', 1)
    const messages = [...listing(server, 't1'), ...server.of('register'), ...server.of('result')]
    for (const { body } of messages) {
      const text = canonicalJson(body, { without: unsignedFields('message') })
      const signature = createHmac('sha256', 'secret').update(text).digest('hex')
      expect(body['security']).toEqual({ signature, signer_id: 'w1' })
      expect(Math.abs(Date.now() / 1000 - Number(body['timestamp']))).toBeLessThan(20)
    }
    const [first, last] = [messages[0], listing(server, 't1').at(-1)]
    expect(Number(last?.body['timestamp'])).toBeGreaterThan(Number(first?.body['timestamp']))
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
