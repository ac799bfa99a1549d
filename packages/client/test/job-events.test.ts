import { describe, expect, it } from 'vitest'

import { ConnectionError, InputError, NotFoundError, UnavailableError } from '../src/index.ts'
import type { JobEvent } from '../src/index.ts'
import { watchJob } from '../src/job-events.ts'
import { HandClock } from './hand-clock.ts'
import type { Reply } from './scripted-server.ts'
import { aScene, rejectionOf, thrownBy, TOKEN } from './setup.ts'

const SILENCE_MS = 45_000

function frame(name: string, fields: object = {}, id?: string): string {
  const data = JSON.stringify({ job_id: 'job-1', ...fields })
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${data}\n\n`
}

function status(state: string, fields: object = {}): string {
  const updated_at = '2026-01-01T00:00:01.000Z'
  return frame('status', { status: 'running', state, updated_at, ...fields })
}

function chunk(id: string, fields: object = {}): string {
  const said = { task_id: 't-1', worker_id: 'w-1', seq: 1, chunk: `piece ${id}` }
  return frame('chunk', { ...said, ...fields }, id)
}

const END = frame('end', { reason: 'job_ended' })

function streamOf(...pieces: readonly (string | Uint8Array)[]): Reply {
  return { pieces: ['retry: 1000\n\n', ...pieces], then: 'end' }
}

function cutAfter(...pieces: readonly (string | Uint8Array)[]): Reply {
  return { pieces, then: 'cut' }
}

function hangAfter(...pieces: readonly string[]): Reply {
  return { pieces, then: 'hang' }
}

async function all(events: AsyncIterable<JobEvent>): Promise<readonly JobEvent[]> {
  const seen: JobEvent[] = []
  for await (const event of events) seen.push(event)
  return seen
}

/** In a word each. */
async function words(events: AsyncIterable<JobEvent>): Promise<readonly string[]> {
  return (await all(events)).map((event) => {
    if (event.type === 'status') return event.currentState
    if (event.type === 'chunk') return String(event.chunk)
    return event.type === 'progress' ? `${event.progress}` : event.type
  })
}

describe('the events of a job', () => {
  it('are those of its stream, with the token, until the job ends', async () => {
    const { client, server } = await aScene([
      streamOf(
        status('start'),
        ': nothing new\n\n',
        frame('progress', { progress: 0.5, message: 'half' }),
        chunk('a', { seq: null, chunk: { text: 'ü' } }),
        frame('gap', { last_event_id: 'x' }),
        frame('of_a_newer_server', {}),
        status('failed', { status: 'failed', error: { code: 'TIMEOUT_ERROR', message: 'late' } }),
        END,
        status('what comes after the end'),
      ),
    ])
    expect(await all(client.jobEvents('job-1'))).toEqual([
      {
        type: 'status',
        status: 'running',
        currentState: 'start',
        updatedAt: Date.UTC(2026, 0, 1, 0, 0, 1),
        error: null,
      },
      { type: 'progress', progress: 0.5, message: 'half' },
      { type: 'chunk', taskId: 't-1', workerId: 'w-1', seq: null, chunk: { text: 'ü' } },
      { type: 'gap' },
      {
        type: 'status',
        status: 'failed',
        currentState: 'failed',
        updatedAt: Date.UTC(2026, 0, 1, 0, 0, 1),
        error: { code: 'TIMEOUT_ERROR', message: 'late' },
      },
      { type: 'end', reason: 'job_ended' },
    ])
    expect(server.paths).toEqual(['GET /api/v1/jobs/job-1/events'])
    expect(server.requests[0]?.headers).toMatchObject({
      'x-client-token': TOKEN,
      accept: 'text/event-stream',
    })
    expect(server.requests[0]?.headers).not.toHaveProperty('last-event-id')
  })

  it('end with the job that is forgotten', async () => {
    const { client } = await aScene([streamOf(status('a'), frame('end', { reason: 'job_gone' }))])
    expect((await all(client.jobEvents('job-1'))).at(-1)).toEqual({
      type: 'end',
      reason: 'job_gone',
    })
  })

  it.each([
    ['in the middle of an event', cutAfter(status('a'), chunk('1'), 'event: chunk\ndata: {"ch')],
    ['in the middle of a letter', cutAfter(status('a'), chunk('1'), new Uint8Array([0xc3]))],
    ['between two events', cutAfter(status('a'), chunk('1'))],
    ['in good order, and too early', streamOf(status('a'), chunk('1'))],
    ['as too slow', streamOf(status('a'), chunk('1'), frame('end', { reason: 'too_slow' }))],
    ['as it stops', streamOf(status('a'), chunk('1'), frame('end', { reason: 'stopped' }))],
  ])('go on after a cut %s, and nothing is told twice', async (_where, first) => {
    const { client, server } = await aScene([first, streamOf(status('a'), chunk('2'), END)])
    expect(await words(client.jobEvents('job-1'))).toEqual(['a', 'piece 1', 'piece 2', 'end'])
    expect(server.requests.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '1'])
  })

  it('wait out a server that is away for a while, at growing pauses', async () => {
    const away: Reply = { status: 503, text: 'away', headers: { 'retry-after': '2' } }
    const { client, server, clock } = await aScene([
      cutAfter(status('a')),
      'cut',
      away,
      { status: 429, text: 'full' },
      { status: 502, text: 'bad gateway' },
      streamOf(status('b'), END),
    ])
    expect(await words(client.jobEvents('job-1'))).toEqual(['a', 'b', 'end'])
    expect(server.requests).toHaveLength(6)
    expect(clock.pauses).toEqual([200, 400, 2800, 1600, 3200])
  })

  it('do not run in circles with a server that says nothing new', async () => {
    const same = streamOf(status('a'))
    const { client, clock } = await aScene([same, same, same, same, streamOf(END)])
    expect(await words(client.jobEvents('job-1'))).toEqual(['a', 'end'])
    expect(clock.pauses).toEqual([200, 400, 800, 1600])
  })

  it('end with the error of an outage that is too long', async () => {
    const { client, clock } = await aScene([cutAfter(status('a')), { status: 503, text: 'away' }])
    const startedAt = clock.now()
    const error = await rejectionOf(all(client.jobEvents('job-1', { outageMs: 60_000 })))
    expect(UnavailableError.is(error)).toBe(true)
    expect(clock.now() - startedAt).toBeGreaterThanOrEqual(60_000)
    expect(clock.now() - startedAt).toBeLessThan(70_000)
  })

  it.each([
    ['cut', 'cut' as const, 3],
    ['503', { status: 503, text: 'away' }, 3],
    ['an empty stream', streamOf(), 3],
    ['503 for an hour', { status: 503, text: '', headers: { 'retry-after': '3600' } }, 1],
    ['no stream', { text: '<html>' }, 1],
    ['a redirect', { status: 302, text: '' }, 1],
    ['garbage', streamOf('event: status\ndata: <html>\n\n'), 1],
    ['another shape', streamOf(frame('status', { status: 7 })), 1],
    ['an endless line', streamOf('x'.repeat(3 * 1024 * 1024)), 1],
  ] satisfies [string, Reply, number][])(
    'are not waited for when the first answer is %s',
    async (_what, reply, tries) => {
      const { client, server } = await aScene([reply])
      const error = await rejectionOf(all(client.jobEvents('job-1')))
      expect(ConnectionError.is(error) || UnavailableError.is(error)).toBe(true)
      expect(server.requests).toHaveLength(tries)
      expect(String(error)).not.toContain(TOKEN)
    },
  )

  it('of a stream that turns to garbage end with an error, not with a wrong event', async () => {
    const { client } = await aScene([streamOf(status('a'), 'event: chunk\ndata: {"chu\n\n', END)])
    const seen: string[] = []
    const error = await rejectionOf(
      (async () => {
        for await (const { type } of client.jobEvents('job-1')) seen.push(type)
      })(),
    )
    expect(error).toMatchObject({ code: 'UNEXPECTED_RESPONSE' })
    expect(seen).toEqual(['status'])
  })

  it('of a job that is not there, or not any more, end with that', async () => {
    const gone: Reply = { status: 404, json: { error: 'No.', code: 'JOB_NOT_FOUND' } }
    const { client } = await aScene([gone])
    expect(NotFoundError.is(await rejectionOf(all(client.jobEvents('job-1'))))).toBe(true)
    const { client: other } = await aScene([cutAfter(status('a')), gone])
    expect(NotFoundError.is(await rejectionOf(all(other.jobEvents('job-1'))))).toBe(true)
  })

  it('come over a new connection when the old one hangs', async () => {
    const { client, clock } = await aScene([hangAfter(status('a')), streamOf(status('b'), END)])
    const events = client.jobEvents('job-1')
    await events.next()
    const rest = words(events)
    await clock.untilPending(SILENCE_MS)
    clock.advance(SILENCE_MS)
    expect(await rest).toEqual(['b', 'end'])
  })

  it('do not come from a server that never answers', async () => {
    const { client, clock } = await aScene(['silence'], { timeoutMs: 30_000, retries: 0 })
    const watching = rejectionOf(all(client.jobEvents('job-1')))
    await clock.untilPending(30_000)
    clock.advance(30_000)
    expect(await watching).toMatchObject({ code: 'CONNECTION_FAILED' })
  })

  it.each([
    ['nothing comes', [hangAfter(status('a'))], SILENCE_MS],
    [
      'the server is away',
      [cutAfter(status('a')), { status: 503, text: '', headers: { 'retry-after': '60' } }],
      60_400,
    ],
    ['it connects', [cutAfter(status('a')), 'silence'], 30_000],
  ] satisfies [string, Reply[], number][])(
    'end with the reason of the signal while %s',
    async (_when, script, ms) => {
      const { client, clock } = await aScene(script)
      const leave = new AbortController()
      const reason = new Error('enough')
      const watching = rejectionOf(all(client.jobEvents('job-1', { signal: leave.signal })))
      await clock.untilPending(ms)
      leave.abort(reason)
      expect(await watching).toBe(reason)
    },
  )

  it('never begin with a signal that is aborted', async () => {
    const { client, server } = await aScene([streamOf(END)])
    const reason = new Error('enough')
    const events = client.jobEvents('job-1', { signal: AbortSignal.abort(reason) })
    expect(await rejectionOf(all(events))).toBe(reason)
    expect(server.requests).toEqual([])
  })

  it('end with the client', async () => {
    const { client, clock } = await aScene([hangAfter(status('a'))])
    const watching = rejectionOf(all(client.jobEvents('job-1')))
    await clock.untilPending(SILENCE_MS)
    await client.close()
    expect(await watching).toMatchObject({ code: 'CONNECTION_FAILED' })
  })

  it('let the connection go with whoever leaves the loop', async () => {
    const { client, server } = await aScene([hangAfter(status('a'), chunk('1'))])
    for await (const { type } of client.jobEvents('job-1')) if (type === 'chunk') break
    await server.untilIdle()
  })

  it('are not read ahead of who iterates', async () => {
    let sent = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        await Promise.resolve()
        sent += 1
        yield new TextEncoder().encode(chunk(String(sent)))
      }
    }
    const body = Object.assign(endless(), { destroy: () => undefined })
    const events = watchJob(
      {},
      {
        open: () => Promise.resolve(body),
        clock: new HandClock(),
        random: () => 1,
        retries: 0,
        closing: new AbortController().signal,
      },
    )
    for (let read = 1; read <= 100; read += 1) {
      await events.next()
      expect(sent).toBe(read)
    }
    await events.return()
  })

  it.each([
    ['an id that none can have', 'a/b', {}],
    ['an outage of no time', 'job-1', { outageMs: 0 }],
  ])('refuse %s at once', async (_what, jobId, options) => {
    const { client, server } = await aScene([streamOf(END)])
    expect(InputError.is(thrownBy(() => client.jobEvents(jobId, options)))).toBe(true)
    expect(server.requests).toEqual([])
  })
})
