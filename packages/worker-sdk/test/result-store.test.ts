import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, it, onTestFinished } from 'vitest'

import { FakeOrchestrator } from './fake-orchestrator.ts'
import { aTask, openBench, recordingLogger, stopNow } from './setup.ts'

async function aDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'results-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
}

const SICK = Array.from({ length: 100 }, () => ({ status: 503, text: '' }))

/** A worker that ends before its result was taken: the result stays in the directory. */
async function leaveOneBehind(resultDirectory: string): Promise<FakeOrchestrator> {
  const { server, clock, worker } = await openBench({ resultDirectory })
  worker.task('echo', () => ({}))
  server.script('result', ...SICK)
  await worker.start()
  server.push(aTask())
  await server.nth('result', 1)
  await stopNow(worker, clock)
  return server
}

describe('results on disk', () => {
  it('are sent by the next process, under the same text, and then are gone (D-4)', async () => {
    const resultDirectory = await aDirectory()
    const { server, clock, worker } = await openBench({ resultDirectory })
    worker.task('echo', () => ({ n: 1 }))
    server.script('result', ...SICK)
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    await stopNow(worker, clock)
    expect(await filesBelow(resultDirectory)).toHaveLength(1)

    const orchestratorUrl = server.url
    server.clearScript('result')
    const next = await openBench({ resultDirectory, orchestratorUrl })
    next.worker.task('echo', () => ({ n: 2 }))
    const before = server.of('result').length
    await next.worker.start()
    const { body } = await server.nth('result', before + 1)
    expect(body).toMatchObject({ task_id: 't1', attempt: 1, data: { n: 1 } })
    expect(body).toEqual(server.of('result')[0]?.body)
    await stopNow(next.worker, next.clock)
    expect(await filesBelow(resultDirectory)).toEqual([])
  })

  it('keep the task from being run again when it is handed over again', async () => {
    const resultDirectory = await aDirectory()
    const { server, clock, worker } = await openBench({ resultDirectory })
    let runs = 0
    const count = () => {
      runs += 1
      return {}
    }
    worker.task('echo', count)
    server.script('result', ...SICK)
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    await stopNow(worker, clock)

    const next = await openBench({ resultDirectory, orchestratorUrl: server.url })
    next.worker.task('echo', count)
    await next.worker.start()
    server.push(aTask())
    server.push(aTask({ task_id: 't2' }))
    await server.when(() => server.of('result').some(({ body }) => body['task_id'] === 't2'))
    expect(runs).toBe(2)
  })

  it('go only to the orchestrator that the task came from', async () => {
    const resultDirectory = await aDirectory()
    await leaveOneBehind(resultDirectory)

    const other = await openBench({ resultDirectory })
    other.worker.task('echo', () => ({}))
    await other.worker.start()
    other.server.push(aTask({ task_id: 'mine' }))
    await other.server.nth('result', 1)
    await other.worker.stop()
    expect(other.server.of('result').map(({ body }) => body['task_id'])).toEqual(['mine'])
    expect(await filesBelow(resultDirectory)).toHaveLength(1)
  })

  it('that cannot be read are told and left alone, and the others are sent', async () => {
    const resultDirectory = await aDirectory()
    const server = await leaveOneBehind(resultDirectory)
    const [file = ''] = await filesBelow(resultDirectory)
    const torn = join(file, '..', 'torn.json')
    await writeFile(torn, '{"job_id":')

    server.clearScript('result')
    const logger = recordingLogger()
    const next = await openBench({ resultDirectory, orchestratorUrl: server.url, logger })
    next.worker.task('echo', () => ({}))
    await next.worker.start()
    await server.when(() => server.results.length === 1)
    await stopNow(next.worker, next.clock)
    expect(await filesBelow(resultDirectory)).toEqual([torn])
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([
      expect.objectContaining({ fields: expect.objectContaining({ path: torn }) as unknown }),
    ])
  })

  it('need a directory that can be written to: the start says so', async () => {
    const directory = await aDirectory()
    const file = join(directory, 'a-file')
    await writeFile(file, '')
    const { worker } = await openBench({ resultDirectory: file, healthPort: 0 })
    worker.task('echo', () => ({}))
    await expect(worker.start()).rejects.toThrow(/Results cannot be kept in .*a-file/)
    expect(worker.healthPort).toBeUndefined()
  })

  it('are delivered all the same when the disk fails later', async () => {
    const resultDirectory = await aDirectory()
    const { server, worker, logger } = await openBench({ resultDirectory })
    worker.task('echo', () => ({}))
    await worker.start()
    await rm(resultDirectory, { recursive: true })
    server.push(aTask())
    await server.nth('result', 1)
    await worker.stop()
    expect(server.results).toHaveLength(1)
    expect(logger.lines.some(({ message }) => message.includes('kept in memory only'))).toBe(true)
  })
})

it('results restored at start do not stop a worker whose orchestrator is down', async () => {
  const resultDirectory = await aDirectory()
  const server = await leaveOneBehind(resultDirectory)
  const { port, url } = server
  await server.close()

  const next = await openBench({ resultDirectory, orchestratorUrl: url })
  next.worker.task('echo', () => ({}))
  const started = next.worker.start()
  await next.clock.timer(500, 2)
  const up = await FakeOrchestrator.open(port)
  next.clock.advance(500)
  await up.nth('result', 1)
  await started
  await stopNow(next.worker, next.clock)
  await up.close()
})
