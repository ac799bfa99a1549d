import { describe, expect, it } from 'vitest'

import { clientPaths, parseCreateJobBody, parseJobView, PATHS } from '../src/index.ts'
import { readFixture } from './fixtures.ts'

describe('parseCreateJobBody', () => {
  it('reads the envelope and turns seconds into milliseconds', () => {
    expect(parseCreateJobBody(readFixture('CreateJobEnvelope.head'))).toEqual({
      initialData: { video: 's3://b/k' },
      webhookUrl: 'https://example.com/hook',
      dispatchTimeoutMs: 60_000,
      resultTimeoutMs: 600_000,
      security: { signature: 'ab' },
      metadata: { order: 'A-1' },
    })
  })

  it('reads `data` as an envelope when no other key is the caller’s own', () => {
    expect(parseCreateJobBody({ data: { a: 1 }, result_timeout: 5 })).toEqual({
      initialData: { a: 1 },
      resultTimeoutMs: 5000,
    })
  })

  it.each([
    [{ data: { a: 1 }, colour: 'red' }],
    [{ data: 'text' }],
    [{ a: 1, metadata: { b: 2 } }],
    [{}],
  ])('takes %j whole as initial data', (body) => {
    expect(parseCreateJobBody(body)).toEqual({ initialData: body })
  })

  it('reads how long the whole job may take, beside `data` and alone as well', () => {
    expect(parseCreateJobBody(readFixture('CreateJobEnvelope.ours'))).toMatchObject({
      resultTimeoutMs: 600_000,
      jobTimeoutMs: 3_600_000,
    })
    expect(parseCreateJobBody({ data: { a: 1 }, job_timeout: 0.5 })).toEqual({
      initialData: { a: 1 },
      jobTimeoutMs: 500,
    })
    expect(parseCreateJobBody({ job_timeout: 60 })).toEqual({
      initialData: {},
      jobTimeoutMs: 60_000,
    })
  })

  it('leaves a job_timeout in bare initial data where it is', () => {
    const body = { job_timeout: 60, colour: 'red' }
    expect(parseCreateJobBody(body)).toEqual({ initialData: body })
  })

  it('starts with no data when only options are given', () => {
    expect(parseCreateJobBody({ webhook_url: 'https://example.com' })).toEqual({
      initialData: {},
      webhookUrl: 'https://example.com',
    })
  })

  it.each([undefined, null, 'text', 7, [{}]])('refuses %j with the known text', (body) => {
    expect(() => parseCreateJobBody(body)).toThrow(
      expect.objectContaining({ code: 'INVALID_JSON', status: 400, message: 'Invalid JSON body' }),
    )
  })

  it.each([0, -1, 86_400 * 30 + 1, '60'])('refuses a timeout of %j', (timeout) => {
    for (const option of ['dispatch_timeout', 'result_timeout', 'job_timeout']) {
      const body = { initial_data: {}, [option]: timeout }
      expect(() => parseCreateJobBody(body)).toThrow(option)
    }
  })

  it('refuses initial data that is no object', () => {
    expect(() => parseCreateJobBody({ initial_data: [1] })).toThrow(/initial_data/)
  })

  it('is not poisoned by __proto__', () => {
    const text = '{"__proto__":{"admin":true},"initial_data":{"__proto__":{"admin":true},"a":1}}'
    const request = parseCreateJobBody(JSON.parse(text))
    expect(request.initialData).toEqual({ a: 1 })
    expect(Reflect.get(request, 'admin')).toBeUndefined()
    expect(Reflect.get(request.initialData, 'admin')).toBeUndefined()
    expect(Reflect.get({}, 'admin')).toBeUndefined()
    const bare = parseCreateJobBody(JSON.parse('{"__proto__":{"admin":true},"a":1}'))
    expect(Reflect.get(bare.initialData, 'admin')).toBeUndefined()
  })

  it('refuses a body nested a hundred thousand levels deep instead of dying of it', () => {
    const depth = 100_000
    const body: unknown = JSON.parse(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`)
    expect(() => parseCreateJobBody(body)).toThrow(/nested deeper than 100 levels/)
  })
})

describe('parseJobView', () => {
  it.each(['JobView.ours', 'JobView.ours-waiting'])(
    'keeps a complete job (%s) as it is',
    (name) => {
      expect(parseJobView(readFixture(name))).toEqual(readFixture(name))
    },
  )

  it('has null for what an older server cannot tell of a wait', () => {
    expect(parseJobView({ id: 'j', status: 'waiting_for_human' })).toMatchObject({
      approval: null,
      child_job_id: null,
      branches: null,
      waiting_for_event: null,
      wakes_at: null,
      depth: null,
      deadline_at: null,
    })
  })

  it.each([
    ['branches.total', { branches: { total: -1, done: 0, failed: 0, running: 0, waiting: 0 } }],
    ['approval.decisions', { approval: { id: 'a', integration: 'x', message: 'm' } }],
    ['depth', { depth: 0.5 }],
  ])('names %s when that is what is wrong', (path, fields) => {
    expect(() => parseJobView({ id: 'j', status: 'running', ...fields })).toThrow(path)
  })

  it('fills what older servers leave out', () => {
    const job = parseJobView({ id: 'j', status: 'failed', error_message: 'gone' })
    expect(job).toMatchObject({
      job_id: 'j',
      current_state: '',
      progress: null,
      error: { code: 'UNKNOWN', message: 'gone' },
    })
  })

  it('reads the job id under either name', () => {
    expect(parseJobView({ job_id: 'j', status: 'running' })).toMatchObject({ id: 'j' })
  })

  it('does not take the note of a retried failure for the end of the job', () => {
    const job = parseJobView({ id: 'j', status: 'running', error_message: 'first try' })
    expect(job.error).toBeNull()
  })

  it.each([null, 'x', {}, { id: 'j', status: 'unheard-of' }])('refuses %j', (body) => {
    expect(() => parseJobView(body)).toThrow(
      expect.objectContaining({ code: 'UNEXPECTED_RESPONSE' }),
    )
  })
})

describe('paths', () => {
  it('follow the mount point and the version', () => {
    expect(clientPaths().job('j')).toBe('/api/jobs/j')
    expect(clientPaths('/api/', 'v1').cancelJob('j')).toBe('/api/v1/jobs/j/cancel')
    expect(clientPaths('', 'v1').jobHistory('j')).toBe('/v1/jobs/j/history')
    expect(clientPaths('').workers).toBe('/workers')
    const paths = clientPaths('/api', 'v1')
    expect(paths.jobEvents('j')).toBe('/api/v1/jobs/j/events')
    expect(paths.jobGraph('j')).toBe('/api/v1/jobs/j/graph')
    expect(paths.retryJob('j')).toBe('/api/v1/jobs/j/retry')
    expect(paths.discardJob('j')).toBe('/api/v1/jobs/j/discard')
    expect(paths.quarantine).toBe('/api/v1/quarantine')
    expect(paths.retryQuarantined).toBe('/api/v1/quarantine/retry')
    expect(paths.discardQuarantined).toBe('/api/v1/quarantine/discard')
    expect(paths.deadLetters).toBe('/api/v1/webhooks/dead-letters')
    expect(paths.resendDeadLetter('j:1:0')).toBe('/api/v1/webhooks/dead-letters/j%3A1%3A0/resend')
    expect(paths.blueprintGraph('b')).toBe('/api/v1/blueprints/b/graph')
    expect(clientPaths('api').createJob('video')).toBe('/api/video')
  })

  it('cannot be left by an id', () => {
    expect(clientPaths().job('../x?y')).toBe('/api/jobs/..%2Fx%3Fy')
    expect(clientPaths().blueprintGraph('../x')).toBe('/api/blueprints/..%2Fx/graph')
    expect(PATHS.approval('a/b')).toBe('/_public/webhooks/approval/a%2Fb')
    expect(PATHS.pollTask('a/b')).toBe('/_worker/workers/a%2Fb/tasks/next')
  })

  it('are those that older workers and approvers call', () => {
    expect(PATHS.registerWorker).toBe('/_worker/workers/register')
    expect(PATHS.heartbeat('w')).toBe('/_worker/workers/w')
    expect(PATHS.taskResult).toBe('/_worker/tasks/result')
    expect(PATHS.workerEvents).toBe('/_worker/events')
    expect(PATHS.approval('j')).toBe('/_public/webhooks/approval/j')
    expect(PATHS.socket()).toBe('/_worker/ws')
    expect(PATHS.socket('w')).toBe('/_worker/ws/w')
  })
})
