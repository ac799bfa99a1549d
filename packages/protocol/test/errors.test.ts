import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'
import { z } from 'zod'

import {
  AuthError,
  AvtomatikaError,
  createError,
  describeIssues,
  ERROR_CODES,
  errorCodeInfo,
  errorFromBody,
  errorStatus,
  InputError,
  InternalError,
  isErrorCode,
  LimitError,
  NotFoundError,
  parseRequest,
  toErrorBody,
  UnavailableError,
} from '../src/index.ts'

describe('errors', () => {
  it('carry what the table says about their code', () => {
    const cause = new Error('underneath')
    const error = new NotFoundError('JOB_NOT_FOUND', { message: 'No job j.', details: 1, cause })
    expect(error).toMatchObject({
      name: 'NotFoundError',
      code: 'JOB_NOT_FOUND',
      family: 'not_found',
      status: 404,
      retry: false,
      details: 1,
      cause,
    })
    expect(error).toBeInstanceOf(Error)
  })

  it('are known by brand, also from another copy of the package', () => {
    const foreign = Object.assign(new Error('x'), {
      name: 'InputError',
      [Symbol.for('@avtomatika/error')]: true,
    })
    expect(AvtomatikaError.is(foreign)).toBe(true)
    expect(InputError.is(foreign)).toBe(true)
    expect(AuthError.is(foreign)).toBe(false)
    expect([new Error('x'), null, 'x', undefined].some(AvtomatikaError.is)).toBe(false)
  })

  it('do not show their brand or cause in JSON', () => {
    const error = new InternalError('INTERNAL', { message: 'm', cause: new Error('secret') })
    expect(JSON.stringify(toErrorBody(error))).toBe('{"error":"m","code":"INTERNAL"}')
  })

  it('tell nothing of errors that are not ours', () => {
    const body = toErrorBody(new Error('redis://user:secret@host'))
    expect(body).toEqual({ error: 'Internal server error.', code: 'INTERNAL' })
    expect(errorStatus(new Error('x'))).toBe(500)
  })

  it.each(Object.keys(ERROR_CODES).filter(isErrorCode))('%s survives the wire', (code) => {
    const sent = createError(code, { message: 'why', details: { a: 1 } })
    const received = errorFromBody(errorStatus(sent), JSON.parse(JSON.stringify(toErrorBody(sent))))
    expect(received).toMatchObject({ name: sent.name, code, message: 'why', details: { a: 1 } })
  })
})

describe('errorFromBody', () => {
  it.each([
    [401, { error: 'Unauthorized: Invalid token' }, 'INVALID_TOKEN', 'Unauthorized: Invalid token'],
    [403, 'Access denied', 'FORBIDDEN', 'HTTP 403: Access denied'],
    [404, { error: 'Job not found' }, 'NOT_FOUND', 'Job not found'],
    [400, { error: 'Invalid JSON body' }, 'INVALID_REQUEST', 'Invalid JSON body'],
    [502, '', 'UNAVAILABLE', 'HTTP 502'],
    [504, null, 'UNAVAILABLE', 'HTTP 504'],
    [501, undefined, 'INTERNAL', 'HTTP 501'],
    [302, {}, 'UNEXPECTED_RESPONSE', 'HTTP 302'],
  ])('reads %i %j of a server without codes', (status, body, code, message) => {
    expect(errorFromBody(status, body)).toMatchObject({ code, message })
  })

  it('unwraps the error that one older listener puts as text into another', () => {
    const body = { error: '{"error": "Too Many Requests", "code": "LIMIT_EXCEEDED_ERROR"}' }
    expect(errorFromBody(429, body, { retryAfterMs: 3000 })).toMatchObject({
      code: 'RATE_LIMITED',
      message: 'Too Many Requests',
      retryAfterMs: 3000,
      details: { peerCode: 'LIMIT_EXCEEDED_ERROR' },
    })
  })

  it('keeps a code it does not know', () => {
    const error = errorFromBody(409, { error: 'e', code: 'FROM_THE_FUTURE', details: 1 })
    expect(error).toMatchObject({
      name: 'ConflictError',
      details: { peerCode: 'FROM_THE_FUTURE', details: 1 },
    })
  })

  it('hands on when to try again', () => {
    const limit = errorFromBody(429, {}, { retryAfterMs: 5 })
    const away = errorFromBody(503, {}, { retryAfterMs: 6 })
    expect(LimitError.is(limit) && limit.retryAfterMs).toBe(5)
    expect(UnavailableError.is(away) && away.retryAfterMs).toBe(6)
  })

  it('cuts a proxy’s page down to a message', () => {
    expect(errorFromBody(502, 'x'.repeat(100_000)).message.length).toBeLessThan(600)
  })

  it('is not fooled by names that every object has', () => {
    expect(isErrorCode('constructor')).toBe(false)
    expect(errorFromBody(404, { error: 'e', code: 'toString' }).code).toBe('NOT_FOUND')
  })
})

describe('parseRequest', () => {
  const schema = z.object({
    initial_data: z.object({ items: z.array(z.object({ id: z.string() })) }),
  })

  it('names the path of each issue', () => {
    const parsed = schema.safeParse({ initial_data: { items: [{ id: 7 }] } })
    expect(parsed.success ? [] : describeIssues(parsed.error)).toEqual([
      { path: 'initial_data.items[0].id', message: expect.stringContaining('string') },
    ])
  })

  it('throws an input error for people and programs', () => {
    expect(() => parseRequest(schema, {}, 'thing')).toThrow(
      expect.objectContaining({
        name: 'InputError',
        code: 'INVALID_REQUEST',
        message: expect.stringMatching(/^Invalid thing: initial_data: /),
        details: { issues: [expect.objectContaining({ path: 'initial_data' })] },
      }),
    )
  })

  it('does not repeat what was sent, which may be a secret', () => {
    const body = { initial_data: { items: 'token-123' } }
    expect(() => parseRequest(schema, body, 'thing')).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('token-123') }),
    )
  })

  it('ends on a value that holds itself', () => {
    const loop: Record<string, unknown> = {}
    loop['a'] = loop
    loop['b'] = loop
    expect(() => parseRequest(schema, loop, 'thing')).toThrow(/nested deeper/)
  })
})

describe('docs/reference/errors.md', () => {
  const text = readFileSync(new URL('../../../docs/reference/errors.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` +\| (\d{3}|-) +\| (\w+) +\| (yes|no) +\|/gm)]

  it('lists exactly the codes of the table', () => {
    expect(rows.map((row) => row[1]).sort()).toEqual(Object.keys(ERROR_CODES).sort())
  })

  it.each(Object.keys(ERROR_CODES).filter(isErrorCode))('says the same about %s', (code) => {
    const row = rows.find((candidate) => candidate[1] === code)
    const { status, family, retry } = errorCodeInfo(code)
    expect(row?.slice(2, 5)).toEqual([String(status ?? '-'), family, retry ? 'yes' : 'no'])
  })
})
