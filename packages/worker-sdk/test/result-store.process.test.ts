import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { expect, it, onTestFinished } from 'vitest'

import { FakeOrchestrator } from './fake-orchestrator.ts'
import { aTask } from './setup.ts'

const PROGRAM = fileURLToPath(new URL('./busy-worker.ts', import.meta.url))

function startWorker(server: FakeOrchestrator, resultDirectory: string) {
  // The file that its handler waits for is there: the program itself.
  const args = ['--conditions=@avtomatika/source', PROGRAM, PROGRAM]
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: 'ignore',
    env: {
      ...process.env,
      WORKER_ID: 'w1',
      WORKER_TOKEN: 'secret',
      ORCHESTRATOR_URL: server.url,
      WORKER_RESULT_DIR: resultDirectory,
    },
  })
  const exited = new Promise((resolve) => {
    child.on('exit', resolve)
  })
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await exited
  }
  onTestFinished(() => end('SIGKILL'))
  return end
}

async function files(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

it('a result survives a process that is killed before it is answered (D-4)', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'killed-'))
  const server = await FakeOrchestrator.open()
  onTestFinished(async () => {
    await server.close()
    await rm(directory, { recursive: true })
    expect(server.violations).toEqual([])
  })
  server.script('result', 'hold')
  const kill = startWorker(server, directory)
  server.push(aTask({ type: 'compute' }))
  await server.nth('result', 1)
  await kill('SIGKILL')
  expect(await files(directory)).toHaveLength(1)

  const stop = startWorker(server, directory)
  const { body } = await server.nth('result', 2)
  expect(body).toEqual(server.of('result')[0]?.body)
  await stop('SIGTERM')
  expect(server.results).toHaveLength(1)
  expect(await files(directory)).toEqual([])
}, 20_000)
