/** A job's event stream, as its client reads it while a worker works. */
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { EventSource, type ServerSentEvent } from './support/event-source.ts'
import { LiveServer, TOKENS, type Answer } from './support/live-server.ts'
import { TestSocket } from './support/open-socket.ts'
import { search } from './support/search-flow.ts'
import { openStorage } from './support/storage-under-test.ts'

const STREAMS = { supported_skills: ['search'], features: ['stream', 'batch_events'] }

interface Scene {
  readonly server: LiveServer
  readonly jobId: string
  readonly task: Awaited<ReturnType<LiveServer['take']>>
}

/** A job whose task is in the hands of `w1`, which streams. */
async function atWork(server: LiveServer, words: object = STREAMS): Promise<Scene> {
  await server.enlist('w1', words)
  const jobId = await server.create('search')
  return { server, jobId, task: await server.take('w1') }
}

function tell({ server, jobId, task }: Scene, payload: object): Promise<Answer> {
  const ids = { job_id: jobId, task_id: task.task_id }
  return server.tell('w1', { event_type: 'stream', payload, ...ids })
}

const chunks = (events: readonly ServerSentEvent[]): unknown[] =>
  events.filter(({ event }) => event === 'chunk').map(({ data }) => data['chunk'])

describe('the event stream of a job', () => {
  it('tells how it stands, its progress, its output and its end, in order', async () => {
    const scene = await atWork(await LiveServer.start([search()]))
    const { server, jobId, task } = scene
    const reader = await EventSource.open(server.url, jobId)
    expect(reader.response.headers.get('content-type')).toContain('text/event-stream')
    expect(await reader.next()).toMatchObject({
      event: 'status',
      data: { job_id: jobId, status: 'waiting_for_worker', state: 'start' },
    })
    expect((await tell(scene, { chunk: 'Once', seq: 1 })).body).toEqual({
      status: 'event_accepted',
    })
    expect(await reader.next()).toMatchObject({
      event: 'chunk',
      data: { job_id: jobId, task_id: task.task_id, worker_id: 'w1', seq: 1, chunk: 'Once' },
    })
    const progress = { event_type: 'progress', payload: { progress: 0.5, message: 'half' } }
    await server.tell('w1', { ...progress, job_id: jobId })
    expect(await reader.next()).toMatchObject({
      event: 'progress',
      data: { job_id: jobId, progress: 0.5, message: 'half' },
    })
    await tell(scene, { chunk: { text: 'upon' } })
    await server.report('w1', task, { status: 'success' })
    const rest = await reader.rest()
    expect(chunks(rest)).toEqual([{ text: 'upon' }])
    expect(rest.at(-2)).toMatchObject({
      event: 'status',
      data: { status: 'finished', state: 'done' },
    })
    expect(rest.at(-1)).toEqual({
      event: 'end',
      id: undefined,
      data: { job_id: jobId, reason: 'job_ended' },
    })
    const { state_history, initial_data } = await server.job(jobId)
    expect(JSON.stringify([state_history, initial_data]), 'output is not stored').not.toContain(
      'Once',
    )
  })

  it('comes from the orchestrator that is read, whichever the worker told', async () => {
    const storage = openStorage()
    const one = await LiveServer.start([search()], {}, storage)
    const other = await LiveServer.start([search()], {}, storage)
    const scene = await atWork(one)
    const reader = await EventSource.open(other.url, scene.jobId)
    await reader.until('status')
    await tell(scene, { chunk: 1 })
    await tell({ ...scene, server: other }, { chunk: 2 })
    await tell(scene, { chunk: 3 })
    await one.report('w1', scene.task, { status: 'success' })
    const rest = await reader.rest()
    expect(chunks(rest)).toEqual([1, 2, 3])
    expect(rest.at(-1)).toMatchObject({ event: 'end', data: { reason: 'job_ended' } })
  })

  it('brings batches in their order, each event with its own answer', async () => {
    const { server, jobId, task } = await atWork(await LiveServer.start([search()]))
    const reader = await EventSource.open(server.url, jobId)
    const piece = (chunk: unknown, more: object = {}): object => {
      const ids = { job_id: jobId, task_id: task.task_id }
      return { event_type: 'stream', payload: { chunk }, ...ids, ...more }
    }
    const events = [
      piece('a'),
      piece('b'),
      { event_type: 'progress', payload: { progress: 'x' }, job_id: jobId },
      piece('c', { task_id: 'old' }),
      piece('d', { worker_id: 'w2' }),
      piece('e', { payload: {} }),
      piece('f'),
    ]
    const body = { worker_id: 'w1', events }
    const reply = await server.post('/_worker/events', body, 'worker')
    expect([reply.status, reply.body['status']]).toEqual([200, 'event_accepted'])
    expect(reply.body['results']).toMatchObject([
      { status: 'event_accepted' },
      { status: 'event_accepted' },
      { status: 'error', code: 'INVALID_REQUEST', retry: false },
      { status: 'event_accepted', ignored: 'stale_task' },
      { status: 'error', code: 'WORKER_MISMATCH', retry: false },
      { status: 'error', code: 'INVALID_REQUEST', retry: false },
      { status: 'event_accepted' },
    ])
    await server.report('w1', task, { status: 'success' })
    expect(chunks(await reader.rest())).toEqual(['a', 'b', 'f'])
  })

  it('takes pieces over a connection, too', async () => {
    const { server, jobId, task } = await atWork(await LiveServer.start([search()]))
    const reader = await EventSource.open(server.url, jobId)
    await reader.until('status')
    const socket = await TestSocket.open(server.url, '/_worker/ws/w1')
    for (let n = 1; n <= 200; n += 1) {
      const ids = { job_id: jobId, task_id: task.task_id }
      socket.say({ event_type: 'stream', payload: { chunk: n, seq: n }, ...ids })
    }
    const heard: unknown[] = []
    while (heard.length < 200) heard.push((await reader.until('chunk')).data['chunk'])
    expect(heard).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
  })

  it('shows a piece that is sent again once', async () => {
    const scene = await atWork(await LiveServer.start([search()]))
    const reader = await EventSource.open(scene.server.url, scene.jobId)
    for (const seq of [1, 2, 2, 1, 3]) await tell(scene, { chunk: `s${String(seq)}`, seq })
    await scene.server.report('w1', scene.task, { status: 'success' })
    expect(chunks(await reader.rest())).toEqual(['s1', 's2', 's3'])
  })

  it('gives who comes late what was kept, and who comes back what was missed', async () => {
    const scene = await atWork(await LiveServer.start([search()]))
    const { server, jobId } = scene
    for (const chunk of ['a', 'b', 'c']) await tell(scene, { chunk })
    const late = await EventSource.open(server.url, jobId)
    expect((await late.next())?.event).toBe('status')
    const seen = [await late.next(), await late.next(), await late.next()]
    expect(seen.map((event) => event?.data['chunk'])).toEqual(['a', 'b', 'c'])
    const lastEventId = seen[1]?.id ?? ''
    const back = await EventSource.open(server.url, jobId, { lastEventId })
    expect((await back.until('chunk')).data['chunk']).toBe('c')
    const lost = await EventSource.open(server.url, jobId, { lastEventId: 'unknown' })
    await lost.next()
    expect(await lost.next()).toMatchObject({ event: 'gap', data: { last_event_id: 'unknown' } })
    expect((await lost.next())?.data['chunk']).toBe('a')
  })

  it('of a job that has ended is short', async () => {
    const scene = await atWork(await LiveServer.start([search()]))
    const { server, jobId, task } = scene
    await tell(scene, { chunk: 'a' })
    await server.report('w1', task, { status: 'success' })
    await server.jobIn('finished', jobId)
    const rest = await (await EventSource.open(server.url, jobId)).rest()
    expect(rest.map(({ event }) => event)).toEqual(['status', 'chunk', 'end'])
  })

  it('is for the owner of the job, and for admins', async () => {
    const { server, jobId } = await atWork(await LiveServer.start([search()]))
    await expect(EventSource.open(server.url, jobId, { as: 'other' })).rejects.toThrow(
      'JOB_NOT_FOUND',
    )
    expect((await server.get(`/api/jobs/${jobId}/events`, 'nobody')).status).toBe(401)
    expect((await server.get('/api/jobs/none/events')).status).toBe(404)
    const admin = await EventSource.open(server.url, jobId, { as: 'admin' })
    expect(await admin.next()).toMatchObject({ event: 'status' })
  })

  it('is ended with a word when the orchestrator stops', async () => {
    const { server, jobId } = await atWork(await LiveServer.start([search()]))
    const reader = await EventSource.open(server.url, jobId)
    await reader.next()
    await server.stop()
    const rest = await reader.rest()
    expect(rest.at(-1)).toMatchObject({ event: 'end', data: { reason: 'stopped' } })
  })

  it('gives up a reader that does not read, and holds up nobody else', async () => {
    const scene = await atWork(await LiveServer.start([search()]))
    const { server, jobId, task } = scene
    const { port, hostname } = new URL(server.url)
    const slow = connect(Number(port), hostname)
    onTestFinished(() => void slow.destroy())
    slow.pause()
    const request = [
      `GET /api/jobs/${jobId}/events HTTP/1.1`,
      'Host: x',
      `X-Client-Token: ${TOKENS.owner}`,
      '',
      '',
    ]
    slow.write(request.join('\r\n'))
    const quick = await EventSource.open(server.url, jobId)
    await quick.until('status')
    const read = (async () => chunks(await quick.rest()).length)()
    // More than the buffers of both ends of a connection hold.
    const large = 'x'.repeat(60_000)
    const events = Array.from({ length: 20 }, () => {
      const ids = { job_id: jobId, task_id: task.task_id }
      return { event_type: 'stream', payload: { chunk: large }, ...ids }
    })
    for (let n = 0; n < 20; n += 1) {
      await server.post('/_worker/events', { worker_id: 'w1', events }, 'worker')
    }
    await server.report('w1', task, { status: 'success' })
    let text = ''
    slow.setEncoding('utf8')
    for await (const piece of slow) text += String(piece)
    expect(text).toContain('"reason":"too_slow"')
    expect(text.length).toBeLessThan(20 * 20 * large.length)
    expect(await read).toBeGreaterThan(0)
  })
})

describe('pieces of output', () => {
  it('are refused when they are too large, and none of the others is', async () => {
    const scene = await atWork(await LiveServer.start([search()]))
    const reply = await tell(scene, { chunk: 'x'.repeat(65 * 1024) })
    expect([reply.status, reply.body['code']]).toEqual([413, 'DATA_TOO_LARGE'])
    expect((await tell(scene, { chunk: 'x'.repeat(60 * 1024) })).status).toBe(200)
    expect((await tell(scene, { chunk: 1, seq: 1.5 })).status).toBe(422)
    expect((await tell(scene, {})).status).toBe(422)
  })

  it('of a worker that does not hold the task change nothing', async () => {
    const scene = await atWork(await LiveServer.start([search()]))
    const { server, jobId, task } = scene
    await server.enlist('w2', STREAMS)
    const event = { event_type: 'stream', payload: { chunk: 'x' }, job_id: jobId }
    const said = await server.tell('w2', { ...event, task_id: task.task_id })
    expect(said.body).toEqual({ status: 'event_accepted', ignored: 'worker_mismatch' })
    await server.report('w1', task, { status: 'success' })
    const late = await tell(scene, { chunk: 'late' })
    expect(late.body).toEqual({ status: 'event_accepted', ignored: 'stale_task' })
  })

  it('do not count against the limit of their worker, unless nobody takes them (D-47)', async () => {
    const limits = { rateLimits: { workerMessages: 3 } }
    const scene = await atWork(await LiveServer.start([search()], limits))
    const statuses: number[] = []
    for (let n = 0; n < 20; n += 1) statuses.push((await tell(scene, { chunk: n })).status)
    expect(new Set(statuses)).toEqual(new Set([200]))
    const task = { ...scene.task, task_id: 'old' }
    for (let n = 0; n < 4; n += 1)
      statuses.push((await tell({ ...scene, task }, { chunk: n })).status)
    expect(statuses.at(-1)).toBe(429)
  })

  it('are events like any other from workers that did not say that they stream', async () => {
    const scene = await atWork(await LiveServer.start([search()]), { supported_skills: ['search'] })
    await tell(scene, { chunk: 'mine' })
    await scene.server.report('w1', scene.task, { status: 'success' })
    await scene.server.jobIn('finished', scene.jobId)
    const types = (await scene.server.history(scene.jobId)).map((row) => row['event_type'])
    expect(types).toContain('worker_event')
    const reader = await EventSource.open(scene.server.url, scene.jobId)
    expect(chunks(await reader.rest())).toEqual([])
  })
})
