import { describe, expect, it } from 'vitest'

import {
  ERROR_CODES,
  GRAPH_CONTENT_TYPES,
  GRAPH_FORMATS,
  parseApprovalBody,
  parseDeadLetterQuery,
  parseDiscardJobsBody,
  parseGraphQuery,
  parseJobEventBody,
  parseQuarantineQuery,
  parseRetryJobBody,
  parseRetryJobsBody,
} from '../src/index.ts'
import { readFixture } from './fixtures.ts'

const INVALID_JSON = { code: 'INVALID_JSON', status: 400, message: 'Invalid JSON body' }
const NOT_OBJECTS = ['text', 7, true, [], [{}]]

describe('parseJobEventBody', () => {
  it('reads an event', () => {
    expect(parseJobEventBody(readFixture('JobEventBody.ours'))).toEqual({
      name: 'payment_received',
      data: { amount: 12.5, currency: 'EUR' },
      eventId: 'psp-4711',
    })
  })

  it.each([{}, { data: null, event_id: null }])('needs a name only (%j)', (rest) => {
    expect(parseJobEventBody({ name: 'go', ...rest })).toEqual({ name: 'go', data: {} })
  })

  it.each([
    ['name', {}],
    ['name', { name: '' }],
    ['name', { name: 'x'.repeat(129) }],
    ['data', { name: 'x', data: [1] }],
    ['event_id', { name: 'x', event_id: '' }],
    ['event_id', { name: 'x', event_id: 'x'.repeat(256) }],
  ])('names %s when it cannot be used', (field, body) => {
    expect(() => parseJobEventBody(body)).toThrow(
      expect.objectContaining({
        code: 'INVALID_REQUEST',
        message: expect.stringContaining(`${field}:`),
      }),
    )
  })

  it.each([undefined, null, ...NOT_OBJECTS])('refuses %j', (body) => {
    expect(() => parseJobEventBody(body)).toThrow(expect.objectContaining(INVALID_JSON))
  })

  it('is not poisoned by __proto__', () => {
    const text = '{"name":"x","data":{"__proto__":{"admin":true},"a":1}}'
    const { data } = parseJobEventBody(JSON.parse(text))
    expect(data).toEqual({ a: 1 })
    expect(Reflect.get(data, 'admin')).toBeUndefined()
  })
})

describe('parseApprovalBody', () => {
  it('reads who decided what and why (D-33)', () => {
    expect(parseApprovalBody(readFixture('ApprovalBody.ours'))).toEqual({
      decision: 'rejected',
      actor: 'ann@example.com',
      comment: 'too expensive',
      data: { limit: 100 },
      approvalId: '5b0e7c1e-2c0b-4f0e-9d5b-6a8a3e0c1b11-a4',
      token: 'eyJq.c2ln',
    })
  })

  it('reads the form of older generations', () => {
    expect(parseApprovalBody({ decision: 'approved' })).toEqual({ decision: 'approved' })
    expect(parseApprovalBody(readFixture('ApprovalBody.head'))).toEqual({
      decision: 'approved',
      security: { signature: 'ab', signer_id: 'chat' },
      metadata: { channel: 'ops' },
    })
  })

  it.each([undefined, null, ...NOT_OBJECTS])('refuses %j with the known text', (body) => {
    expect(() => parseApprovalBody(body)).toThrow(expect.objectContaining(INVALID_JSON))
  })

  it.each([{}, { decision: '' }, { decision: null }, { decision: undefined, actor: 'ann' }])(
    'misses the decision in %j, with the known text',
    (body) => {
      expect(() => parseApprovalBody(body)).toThrow(
        expect.objectContaining({
          code: 'DECISION_MISSING',
          status: 400,
          message: 'decision is required in body',
        }),
      )
    },
  )

  it.each([
    ['decision', { decision: true }],
    ['actor', { decision: 'a', actor: 'x'.repeat(256) }],
    ['comment', { decision: 'a', comment: 'x'.repeat(4001) }],
    ['data', { decision: 'a', data: 'x' }],
  ])('names %s when it cannot be used', (field, body) => {
    expect(() => parseApprovalBody(body)).toThrow(
      expect.objectContaining({
        code: 'INVALID_REQUEST',
        message: expect.stringContaining(`${field}:`),
      }),
    )
  })

  it('does not repeat a token that cannot be used', () => {
    const body = { decision: 'a', token: ['tok-very-secret'] }
    expect(() => parseApprovalBody(body)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('tok-very-secret') }),
    )
  })
})

describe('the list of dead letters', () => {
  it.each([
    [{}, 100],
    [{ limit: '1' }, 1],
    [{ limit: '1000' }, 1000],
  ])('%j has up to %i calls', (query, limit) => {
    expect(parseDeadLetterQuery(query)).toEqual({ limit })
  })

  it.each(['0', '-1', '1001', '1e2', '', 'all'])('refuses a limit of %j', (limit) => {
    expect(() => parseDeadLetterQuery({ limit })).toThrow(/limit: must be a whole number/)
  })
})

describe('the quarantine', () => {
  it.each([
    [{}, 100],
    [{ limit: '1' }, 1],
    [{ limit: '1000' }, 1000],
  ])('%j lists up to %i jobs', (query, limit) => {
    expect(parseQuarantineQuery(query)).toEqual({ limit })
  })

  it.each(['0', '-1', '1001', '1e2', '', 'all'])('refuses a limit of %j', (limit) => {
    expect(() => parseQuarantineQuery({ limit })).toThrow(/limit: must be a whole number/)
  })

  it.each([undefined, null, '', {}, { data: null }])(
    'lets a job go on as it is with %j',
    (body) => {
      expect(parseRetryJobBody(body)).toEqual({})
    },
  )

  it('lets a job go on with other data', () => {
    expect(parseRetryJobBody({ data: { a: 1 } })).toEqual({ data: { a: 1 } })
    expect(() => parseRetryJobBody({ data: [1] })).toThrow(/data:/)
  })

  it.each(NOT_OBJECTS)('refuses %j as the body of a retry', (body) => {
    expect(() => parseRetryJobBody(body)).toThrow(expect.objectContaining(INVALID_JSON))
  })

  it('takes each of many ids once, in their order', () => {
    const ids = ['b', 'a', 'b']
    expect(parseRetryJobsBody({ ids })).toEqual({ ids: ['b', 'a'] })
    expect(parseRetryJobsBody({ ids, data: { x: 1 } })).toEqual({ ids: ['b', 'a'], data: { x: 1 } })
    expect(parseDiscardJobsBody({ ids })).toEqual({ ids: ['b', 'a'] })
  })

  it.each([
    [{}],
    [{ ids: [] }],
    [{ ids: 'a' }],
    [{ ids: ['a', 7] }],
    [{ ids: ['../a'] }],
    [{ ids: Array.from({ length: 1001 }, String) }],
  ])('refuses ids that cannot be used', (body) => {
    const refused = expect.objectContaining({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('ids'),
    })
    expect(() => parseRetryJobsBody(body)).toThrow(refused)
    expect(() => parseDiscardJobsBody(body)).toThrow(refused)
  })

  it.each([undefined, null, ...NOT_OBJECTS])('needs an object, not %j, for many', (body) => {
    expect(() => parseRetryJobsBody(body)).toThrow(expect.objectContaining(INVALID_JSON))
    expect(() => parseDiscardJobsBody(body)).toThrow(expect.objectContaining(INVALID_JSON))
  })
})

describe('parseGraphQuery', () => {
  it('draws in DOT unless something else is asked for, as older servers do', () => {
    expect(parseGraphQuery({})).toEqual({ format: 'dot' })
    expect(GRAPH_FORMATS.map((format) => parseGraphQuery({ format }).format)).toEqual([
      'dot',
      'mermaid',
      'svg',
      'json',
    ])
    expect(GRAPH_CONTENT_TYPES.dot).toBe('text/vnd.graphviz')
  })

  it.each(['', 'DOT', 'png', 'constructor'])('refuses the format %j', (format) => {
    expect(() => parseGraphQuery({ format })).toThrow(/format:/)
  })
})

describe('the errors of these calls', () => {
  it('have the statuses that callers branch on', () => {
    const { NOT_QUARANTINED, JOB_ENDED, NOT_APPROVABLE, EVENTS_FULL, DATA_TOO_LARGE } = ERROR_CODES
    expect([NOT_QUARANTINED, JOB_ENDED, NOT_APPROVABLE].map(({ status }) => status)).toEqual([
      409, 409, 409,
    ])
    expect(EVENTS_FULL).toEqual({ status: 429, family: 'limit', retry: true })
    expect(DATA_TOO_LARGE).toEqual({ status: 413, family: 'limit', retry: false })
  })
})
