/** What a broken or hostile worker sends: it is told what is wrong, it is counted, and nobody else notices. */
import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { until } from './support/engine-world.ts'
import { LiveServer, WORKER_TOKEN, type Answer } from './support/live-server.ts'
import { TestSocket } from './support/open-socket.ts'
import { search } from './support/search-flow.ts'

const MIB = 1024 * 1024
const HOUR_S = 3_600
const RESULT = '/_worker/tasks/result'
const RESULTS = '/_worker/tasks/results'
const EVENTS = '/_worker/events'
const BEAT = '/_worker/workers/w1'

interface Stage {
  readonly server: LiveServer
  readonly jobId: string
  /** A task that `w1` works on. */
  readonly mine: { readonly job_id: string; readonly task_id: string }
  /** One that `w2` works on. */
  readonly others: { readonly job_id: string; readonly task_id: string }
}

async function aStage(): Promise<Stage> {
  const server = await LiveServer.start([search()])
  const features = ['acks', 'batch_results', 'batch_events', 'stream']
  await server.enlist('w1', { supported_skills: ['search'], features })
  await server.enlist('w2', { supported_skills: ['search'], features })
  const jobId = await server.create('search')
  const { job_id, task_id } = await server.take('w1')
  await server.create('search', {}, 'other')
  const others = await server.take('w2')
  const mine = { job_id, task_id }
  await server.post('/_worker/tasks/ack', { worker_id: 'w1', task_ids: [task_id] }, 'worker')
  return { server, jobId, mine, others: { job_id: others.job_id, task_id: others.task_id } }
}

/** The task is still with its worker, and its result counts. */
async function completes({ server, jobId, mine }: Stage): Promise<void> {
  expect(await server.job(jobId)).toMatchObject({
    status: 'waiting_for_worker',
    current_task_id: mine.task_id,
    task_worker_id: 'w1',
  })
  const beat = { worker_id: 'w1', current_tasks: [mine.task_id] }
  const answer = await server.call('PATCH', BEAT, { as: 'worker', body: beat })
  expect(answer.body).toEqual({ status: 'ok' })
  const { body } = await server.report('w1', { ...mine, type: '', params: {} }, { attempt: 1 })
  expect(body).toMatchObject({ status: 'accepted' })
  await server.jobIn('finished', jobId)
}

async function figure(server: LiveServer, line: string): Promise<number> {
  const { text } = await server.get('/_public/metrics', 'nobody')
  const found = text.split('\n').find((each) => each.startsWith(`${line} `))
  return Number(found?.slice(line.length + 1) ?? 0)
}

function refused(server: LiveServer, message: string, code: string): Promise<number> {
  const labels = `{message="${message}",code="${code}"}`
  return figure(server, `orchestrator_worker_messages_refused_total${labels}`)
}

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels)
}

type Sent = readonly [method: 'POST' | 'PATCH' | 'GET', path: string, body?: unknown]

const refusals: readonly [
  what: string,
  send: (stage: Stage) => Sent,
  status: number,
  message: string,
  code: string,
][] = [
  ['a list as a result', () => ['POST', RESULT, [1]], 403, 'result', 'WORKER_MISMATCH'],
  ['no JSON', () => ['POST', RESULT, '{"job_id":'], 400, 'result', 'INVALID_JSON'],
  [
    'an attempt that is a text',
    ({ mine }) => ['POST', RESULT, { worker_id: 'w1', ...mine, attempt: 'first' }],
    422,
    'result',
    'INVALID_REQUEST',
  ],
  [
    'a status that is a number',
    ({ mine }) => ['POST', RESULT, { worker_id: 'w1', ...mine, status: 7 }],
    422,
    'result',
    'INVALID_REQUEST',
  ],
  [
    'a task id that is a number',
    ({ mine }) => ['POST', RESULT, { worker_id: 'w1', job_id: mine.job_id, task_id: 7 }],
    422,
    'result',
    'INVALID_REQUEST',
  ],
  [
    'data that are nested without end',
    ({ mine }) => [
      'POST',
      RESULT,
      `{"worker_id":"w1","job_id":"${mine.job_id}","task_id":"${mine.task_id}","data":{"x":${nested(50_000)}}}`,
    ],
    422,
    'result',
    'INVALID_REQUEST',
  ],
  [
    'keys that change prototypes',
    ({ mine }) => [
      'POST',
      RESULT,
      `{"worker_id":"w1","job_id":"${mine.job_id}","task_id":"${mine.task_id}","__proto__":{"x":1}}`,
    ],
    400,
    'result',
    'INVALID_JSON',
  ],
  [
    'a batch of nothing',
    () => ['POST', RESULTS, { worker_id: 'w1', results: [] }],
    422,
    'result',
    'INVALID_REQUEST',
  ],
  [
    'an id that none can have',
    () => ['GET', '/_worker/workers/w%201/tasks/next?timeout=0'],
    422,
    'poll',
    'INVALID_REQUEST',
  ],
  [
    'a poll of somebody who is not there',
    () => ['GET', '/_worker/workers/stranger/tasks/next?timeout=0'],
    404,
    'poll',
    'WORKER_NOT_FOUND',
  ],
  [
    'a heartbeat for another',
    () => ['PATCH', BEAT, { worker_id: 'w2', current_tasks: [] }],
    403,
    'heartbeat',
    'WORKER_MISMATCH',
  ],
  [
    'tasks that are no list',
    () => ['PATCH', BEAT, { worker_id: 'w1', current_tasks: 'none' }],
    422,
    'heartbeat',
    'INVALID_REQUEST',
  ],
  [
    'an acknowledgement of everything',
    () => ['POST', '/_worker/tasks/ack', { worker_id: 'w1', task_ids: '*' }],
    422,
    'ack',
    'INVALID_REQUEST',
  ],
  [
    'a registration without skills that are',
    () => ['POST', '/_worker/workers/register', { worker_id: 'w3', supported_skills: [{}] }],
    422,
    'register',
    'INVALID_REQUEST',
  ],
  [
    'a refresh token that nobody was given',
    () => ['POST', '/_worker/auth/token/refresh', { refresh_token: 'guessed' }],
    401,
    'token',
    'INVALID_TOKEN',
  ],
  [
    'a connection for somebody who cannot be',
    () => ['GET', '/_worker/ws/w%201'],
    422,
    'connect',
    'INVALID_REQUEST',
  ],
  [
    'progress that is no number',
    ({ mine }) => [
      'POST',
      EVENTS,
      {
        worker_id: 'w1',
        event_type: 'progress',
        target_job_id: mine.job_id,
        target_task_id: mine.task_id,
        payload: { progress: 'half' },
      },
    ],
    422,
    'event',
    'INVALID_REQUEST',
  ],
  [
    'a piece of output that is too large',
    ({ mine }) => [
      'POST',
      EVENTS,
      {
        worker_id: 'w1',
        event_type: 'stream',
        target_job_id: mine.job_id,
        target_task_id: mine.task_id,
        payload: { chunk: 'x'.repeat(65 * 1024) },
      },
    ],
    413,
    'event',
    'DATA_TOO_LARGE',
  ],
]

describe('a message of a worker that is wrong', () => {
  it.each(refusals)('%s', async (_what, send, status, message, code) => {
    const stage = await aStage()
    const [method, path, said] = send(stage)
    const body = said as string | object | undefined
    const answer = await stage.server.call(method, path, { as: 'worker', body })
    expect([answer.status, answer.body['code']]).toEqual([status, code])
    expect(answer.body['error']).toEqual(expect.stringMatching(/\w{3}/))
    expect(answer.text).not.toContain(WORKER_TOKEN)
    expect(answer.text.length).toBeLessThan(4_096)
    expect(await refused(stage.server, message, code)).toBe(1)
    await completes(stage)
  })

  it('is refused before it is read in full when it is gigantic', async () => {
    const stage = await aStage()
    const answer = await gigantic(`${stage.server.url}${RESULT}`)
    expect(answer).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' })
    expect(await refused(stage.server, 'result', 'BODY_TOO_LARGE')).toBe(1)
    await completes(stage)
  })

  it('is refused without the others of its batch', async () => {
    const stage = await aStage()
    const { server, mine, others } = stage
    const results = [
      { ...mine, worker_id: 'w2' },
      { job_id: 7, task_id: mine.task_id },
      { ...others, status: 'success' },
    ]
    const reply = await server.post(RESULTS, { worker_id: 'w1', results }, 'worker')
    expect(reply.body['results']).toMatchObject([
      { status: 'error', code: 'WORKER_MISMATCH', message: expect.any(String) },
      { status: 'error', code: 'INVALID_REQUEST', message: expect.any(String) },
      { status: 'ignored' },
    ])
    expect(await refused(server, 'result', 'WORKER_MISMATCH')).toBe(1)
    expect(await refused(server, 'result', 'INVALID_REQUEST')).toBe(1)
    await completes(stage)
  })

  it('counts on a connection as well, whether it can be read or not', async () => {
    const stage = await aStage()
    const { server, mine } = stage
    const socket = await TestSocket.open(server.url, '/_worker/ws/w1')
    expect(await figure(server, 'orchestrator_worker_connections')).toBe(1)
    socket.say('no JSON')
    socket.say({ event_type: 'progress', payload: nested(90) })
    const about = { target_job_id: mine.job_id, target_task_id: mine.task_id }
    const progress = { event_type: 'progress', ...about, payload: { progress: 'half' } }
    socket.say({ worker_id: 'w1', events: [progress, { ...progress, worker_id: 'w2' }] })
    await until(async () => (await refused(server, 'frame', 'WORKER_MISMATCH')) === 1)
    expect(await refused(server, 'frame', 'INVALID_JSON')).toBe(1)
    expect(await refused(server, 'frame', 'INVALID_REQUEST')).toBe(2)
    socket.say('x'.repeat(MIB + 1))
    await socket.closed
    await until(async () => (await refused(server, 'frame', 'BODY_TOO_LARGE')) === 1)
    await until(async () => (await figure(server, 'orchestrator_worker_connections')) === 0)
    await completes(stage)
  })

  it('has no label that its sender could make up', async () => {
    const { server } = await aStage()
    for (let n = 0; n < 20; n += 1) {
      const body = { worker_id: `x-${n}`, event_type: `type-${n}`, payload: `${n}` }
      await server.post(EVENTS, body, 'worker')
      await server.call('GET', `/_worker/workers/x-${n}/tasks/next?timeout=0`, { as: 'worker' })
      await server.post(`/_worker/path-${n}`, body, 'worker')
    }
    const { text } = await server.get('/_public/metrics', 'nobody')
    const lines = text.split('\n').filter((line) => line.includes('refused_total{'))
    expect(lines.length).toBeLessThan(4)
    expect(text).not.toMatch(/x-\d|type-\d|path-\d/)
  })
})

describe('tasks of others', () => {
  it('are neither acknowledged nor kept nor lost by who names them', async () => {
    const stage = await aStage()
    const { server, others } = stage
    const foreign = [others.task_id, 'task-of-nobody']
    const acked = { worker_id: 'w1', task_ids: foreign }
    const ack = await server.post('/_worker/tasks/ack', acked, 'worker')
    expect(ack.body['cancel_task_ids']).toEqual(foreign)
    const beat = { worker_id: 'w1', current_tasks: [stage.mine.task_id, ...foreign] }
    const answer = await server.call('PATCH', BEAT, { as: 'worker', body: beat })
    expect(answer.body['cancel_task_ids']).toEqual(foreign)
    await completes(stage)
    const result = { ...others, worker_id: 'w2', status: 'success' }
    expect((await server.post(RESULT, result, 'worker')).body['status']).toBe('accepted')
  })
})

describe('a result that is not the sender’s to give', () => {
  it.each([
    ['of a job that is not there', () => ({ job_id: 'none', task_id: 't' }), 'job_not_found'],
    ['of another worker', ({ others }: Stage) => others, 'worker_mismatch'],
    ['of an attempt that is to come', ({ mine }: Stage) => ({ ...mine, attempt: 2 }), 'stale_task'],
    [
      'of an attempt that was forged',
      ({ mine }: Stage) => ({ ...mine, attempt: 99 }),
      'stale_task',
    ],
    [
      'of a task that its job never had',
      ({ mine }: Stage) => ({ ...mine, task_id: `${mine.task_id}-x` }),
      'stale_task',
    ],
  ])('%s is ignored, with the reason, and counted', async (_what, made, reason) => {
    const stage = await aStage()
    const { server } = stage
    const said = { worker_id: 'w1', status: 'success', data: {}, ...made(stage) }
    const { status, body } = await server.post(RESULT, said, 'worker')
    expect([status, body]).toMatchObject([200, { status: 'ignored', message: expect.any(String) }])
    expect(body['reason']).toBe(reason)
    const line = `orchestrator_results_ignored_total{reason="${String(body['reason'])}"}`
    expect(await figure(server, line)).toBe(1)
    await completes(stage)
  })
})

it.each([-5 * HOUR_S, 5 * HOUR_S])(
  'a clock that is wrong by %d s does a worker no harm, as long as it signs nothing',
  async (offset) => {
    const stage = await aStage()
    const { server, mine } = stage
    const timestamp = Math.floor(Date.now() / 1000) + offset
    const said: [string, string, object][] = [
      ['PATCH', BEAT, { current_tasks: [mine.task_id] }],
      ['POST', '/_worker/workers/register', { supported_skills: ['search'] }],
      ['POST', EVENTS, { event_type: 'seen', target_job_id: mine.job_id, payload: {} }],
    ]
    for (const [method, path, words] of said) {
      const body = { worker_id: 'w1', timestamp, ...words }
      const answer: Answer = await server.call(method, path, { as: 'worker', body })
      expect(answer.status, answer.text).toBe(200)
    }
    await completes(stage)
  },
)

/** Says that it sends 50 MiB, and begins. */
function gigantic(url: string): Promise<{ readonly status: number; readonly code: unknown }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: 'POST',
      headers: { 'x-worker-token': WORKER_TOKEN, 'content-length': 50 * MIB },
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      let text = ''
      response.on('data', (piece: Buffer) => (text += piece.toString()))
      response.once('end', () => {
        sent.removeAllListeners('error').on('error', () => undefined)
        sent.destroy()
        const { code } = JSON.parse(text) as { readonly code: unknown }
        resolve({ status: response.statusCode ?? 0, code })
      })
    })
    sent.write('{"worker_id":"w1"')
  })
}
