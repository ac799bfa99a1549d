/** The connections of workers, over real sockets, at one orchestrator and at two. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fastify } from 'fastify'
import { pino } from 'pino'
import { OrchestratorEngine, type OrchestratorConfig } from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { LiveServer, WORKER_TOKEN } from './support/live-server.ts'
import { TestSocket } from './support/open-socket.ts'
import { search } from './support/search-flow.ts'
import { openStorage } from './support/storage-under-test.ts'

async function two(config: OrchestratorConfig = {}): Promise<readonly [LiveServer, LiveServer]> {
  const storage = openStorage()
  const start = (): Promise<LiveServer> => LiveServer.start([search()], config, storage)
  return [await start(), await start()]
}

const shared = { 'x-worker-token': WORKER_TOKEN }

describe('a cancellation over the connection of a worker', () => {
  it('arrives at once, under both names that workers read (D-51)', async () => {
    const server = await LiveServer.start([search()])
    await server.register('w1', 'search')
    const socket = await TestSocket.open(server.url, '/_worker/ws/w1')
    const jobId = await server.create('search')
    const { task_id } = await server.take('w1')
    await server.post(`/api/jobs/${jobId}/cancel`)
    expect(await socket.next()).toEqual({
      command: 'cancel_task',
      type: 'cancel_task',
      job_id: jobId,
      task_id,
    })
  })

  it('arrives from another orchestrator (D-51)', async () => {
    const [one, other] = await two()
    await one.register('w1', 'search')
    const socket = await TestSocket.open(one.url, '/_worker/ws/w1')
    const jobId = await other.create('search')
    const { task_id } = await one.take('w1')
    await other.post(`/api/jobs/${jobId}/cancel`)
    expect(await socket.next()).toMatchObject({ job_id: jobId, task_id })
  })

  it('is sent for a task that has run out of time, and not for one that has its result', async () => {
    const server = await LiveServer.start([search()], { taskTimeoutMs: 300, maxRetries: 0 })
    await server.register('w1', 'search')
    const socket = await TestSocket.open(server.url, '/_worker/ws/w1')
    const done = await server.create('search')
    const first = await server.take('w1')
    await server.report('w1', first, { status: 'success' })
    await server.jobIn('finished', done)
    await server.create('search')
    const { task_id } = await server.take('w1')
    expect(await socket.next()).toMatchObject({ task_id })
  })
})

describe('a worker has one connection', () => {
  it('and the newer one wins; the end of the older one is not its end (D-51)', async () => {
    const server = await LiveServer.start([search()])
    await server.register('w1', 'search')
    const older = await TestSocket.open(server.url, '/_worker/ws/w1')
    const newer = await TestSocket.open(server.url, '/_worker/ws/w1')
    expect(await older.closed).toEqual([1008, 'New connection established'])
    const jobId = await server.create('search')
    await server.take('w1')
    await server.post(`/api/jobs/${jobId}/cancel`)
    expect(await newer.next()).toMatchObject({ job_id: jobId })
  })

  it('at all orchestrators together', async () => {
    const [one, other] = await two()
    const older = await TestSocket.open(one.url, '/_worker/ws/w1')
    const stranger = await TestSocket.open(one.url, '/_worker/ws/w2')
    await TestSocket.open(other.url, '/_worker/ws/w1')
    expect(await older.closed).toEqual([1008, 'New connection established'])
    stranger.say({ event_type: 'note' })
    const left = await Promise.race([stranger.closed, Promise.resolve('open')])
    expect(left).toBe('open')
  })

  it('which is said goodbye to when the orchestrator stops', async () => {
    const engine = new OrchestratorEngine({
      logger: pino({ level: 'silent' }),
      config: { port: 0, workerTokens: { shared: WORKER_TOKEN } },
    })
    const url = await engine.start()
    const socket = await TestSocket.open(url, '/_worker/ws/w1')
    await engine.stop()
    expect(await socket.closed).toEqual([1001, 'Server shutdown'])
  })
})

describe('who may connect', () => {
  const tokens = { workerTokens: { shared: WORKER_TOKEN, individual: { own: 'own-secret' } } }

  it.each([
    ['/_worker/ws/w1', {}, 401],
    ['/_worker/ws/w1', { 'x-worker-token': 'wrong' }, 401],
    ['/_worker/ws', { 'x-worker-token': 'wrong' }, 401],
    ['/_worker/ws/own', shared, 403],
    ['/_worker/ws/w1', { 'x-worker-token': 'own-secret' }, 403],
    ['/_worker/ws/w1', { ...shared, 'x-worker-id': 'w2' }, 403],
    ['/_worker/ws', { ...shared, 'x-worker-id': 'own' }, 403],
    ['/_worker/ws/w%20x', shared, 422],
    ['/_worker/ws/w1/more', shared, 404],
  ])('%s with %j is refused with %i before it is open', async (path, headers, status) => {
    const server = await LiveServer.start([search()], tokens)
    const opening = TestSocket.open(server.url, path, headers)
    await expect(opening).rejects.toThrow(`Unexpected server response: ${String(status)}`)
  })

  it('whoever its credentials name, without an id in the path', async () => {
    const server = await LiveServer.start([search()], tokens)
    for (const [headers, workerId] of [
      [{ 'x-worker-token': 'own-secret' }, 'own'],
      [{ ...shared, 'x-worker-id': 'w2' }, 'w2'],
    ] as const) {
      const socket = await TestSocket.open(server.url, '/_worker/ws', headers)
      const path = `/_worker/ws/${workerId}`
      const token = { 'x-worker-token': headers['x-worker-token'] }
      await TestSocket.open(server.url, path, token)
      expect(await socket.closed).toEqual([1008, 'New connection established'])
    }
  })

  it('a plain request is told to upgrade', async () => {
    const server = await LiveServer.start([search()])
    const { status, headers, body } = await server.get('/_worker/ws/w1', 'worker')
    expect([status, headers.get('upgrade'), body['code']]).toEqual([
      426,
      'websocket',
      'INVALID_REQUEST',
    ])
  })
})

describe('what workers say on their connection', () => {
  const frames = [
    ['the first generation', 'type'],
    ['the second generation', 'event'],
  ] as const

  it.each(frames)(
    'progress of %s reaches the job, and tells who is there without an id (A.13.6)',
    async (_who, key) => {
      const server = await LiveServer.start([search()])
      await server.register('w1', 'search')
      const socket = await TestSocket.open(server.url, '/_worker/ws')
      const jobId = await server.create('search')
      const { task_id } = await server.take('w1')
      const said = {
        [key]: 'progress_update',
        job_id: jobId,
        task_id,
        progress: 0.5,
        message: 'half',
      }
      socket.say(said)
      await until(async () => (await server.job(jobId))['progress'] === 0.5)
      await server.post(`/api/jobs/${jobId}/cancel`)
      expect(await socket.next()).toMatchObject({ command: 'cancel_task', task_id })
    },
  )

  it('events of the third generation are taken in order; what is wrong disturbs nothing', async () => {
    const server = await LiveServer.start([search()])
    await server.register('w1', 'search')
    const socket = await TestSocket.open(server.url, '/_worker/ws/w1')
    const jobId = await server.create('search')
    await server.take('w1')
    const event = { worker_id: 'w1', target_job_id: jobId, bubbling_chain: [] }
    socket.say('no json {')
    socket.say('[]')
    socket.say({ ...event, worker_id: 'w2', event_type: 'progress', payload: { progress: 0.9 } })
    socket.say({ ...event, event_type: 'progress', payload: { progress: 'half' } })
    for (const progress of [0.1, 0.2, 0.3]) {
      socket.say({ ...event, event_type: 'progress', payload: { progress } })
    }
    await until(async () => (await server.job(jobId))['progress'] === 0.3)
    expect(server.log()).toContain('WORKER_MISMATCH')
  })

  it('a frame of more than 1 MiB ends its connection, and no other', async () => {
    const server = await LiveServer.start([search()])
    const noisy = await TestSocket.open(server.url, '/_worker/ws/w1')
    const other = await TestSocket.open(server.url, '/_worker/ws/w2')
    noisy.say('x'.repeat(1024 * 1024 + 1))
    expect((await noisy.closed)[0]).toBe(1009)
    await TestSocket.open(server.url, '/_worker/ws/w1')
    expect(await Promise.race([other.closed, Promise.resolve('open')])).toBe('open')
  })

  it('a token of many cannot speak for a worker with its own', async () => {
    const individual = { own: 'own-secret' }
    const config = { workerTokens: { shared: WORKER_TOKEN, individual } }
    const server = await LiveServer.start([search()], config)
    const headers = { 'x-worker-token': 'own-secret' }
    const said = { worker_id: 'own', supported_skills: ['search'] }
    await server.call('POST', '/_worker/workers/register', { as: 'nobody', headers, body: said })
    const jobId = await server.create('search')
    await server.call('GET', '/_worker/workers/own/tasks/next', { as: 'nobody', headers })
    const socket = await TestSocket.open(server.url, '/_worker/ws')
    const progress = { job_id: jobId, progress: 0.5 }
    socket.say({ event: 'progress_update', ...progress })
    socket.say({ event: 'progress_update', worker_id: 'own', ...progress })
    await until(() => server.log().split('a frame of a worker was refused').length === 3)
    expect(await server.job(jobId)).toMatchObject({ progress: null })
  })
})

/** What a server first says to bytes that come in two pieces. */
async function answerTo(url: string, ...pieces: readonly [string, string]): Promise<string> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  await new Promise((sent) => socket.write(pieces[0], sent))
  socket.write(pieces[1])
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString()
}

describe('other requests to upgrade', () => {
  it('are served as if they had not asked, when they would only like HTTP/2', async () => {
    const server = await LiveServer.start([search()])
    const body = JSON.stringify({ blueprint: 'search' })
    const head = [
      'POST /api/jobs HTTP/1.1',
      'Host: localhost',
      'X-Client-Token: client-secret-1',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQ',
      `Content-Length: ${String(body.length)}`,
      '',
      body.slice(0, 5),
    ].join('\r\n')
    expect(await answerTo(server.url, head, body.slice(5))).toMatch(/^HTTP\/1.1 202/)
  })

  it('are left to the host that mounts us, below whatever prefix we are', async () => {
    const engine = new OrchestratorEngine({
      logger: pino({ level: 'silent' }),
      config: { workerTokens: { shared: WORKER_TOKEN } },
    })
    const app = fastify()
    await app.register(engine.plugin, { prefix: '/flows' })
    app.server.on('upgrade', (request, socket) => {
      if (request.url === '/chat') socket.end('HTTP/1.1 418 The host\r\n\r\n')
    })
    onTestFinished(() => app.close())
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    await expect(TestSocket.open(url, '/chat')).rejects.toThrow('418')
    await TestSocket.open(url, '/flows/_worker/ws/w1')
  })
})
