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
    const body = { initial_data: {}, dispatch_timeout: timeout }
    expect(() => parseCreateJobBody(body)).toThrow(/dispatch_timeout/)
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
  it('keeps a complete job as it is', () => {
    expect(parseJobView(readFixture('JobView.ours'))).toEqual(readFixture('JobView.ours'))
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
    expect(clientPaths('api').createJob('video')).toBe('/api/video')
  })

  it('cannot be left by an id', () => {
    expect(clientPaths().job('../x?y')).toBe('/api/jobs/..%2Fx%3Fy')
    expect(PATHS.pollTask('a/b')).toBe('/_worker/workers/a%2Fb/tasks/next')
  })

  it('are those that older workers call', () => {
    expect(PATHS.registerWorker).toBe('/_worker/workers/register')
    expect(PATHS.heartbeat('w')).toBe('/_worker/workers/w')
    expect(PATHS.taskResult).toBe('/_worker/tasks/result')
    expect(PATHS.workerEvents).toBe('/_worker/events')
    expect(PATHS.socket()).toBe('/_worker/ws')
    expect(PATHS.socket('w')).toBe('/_worker/ws/w')
  })
})
