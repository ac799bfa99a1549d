import { readFileSync } from 'node:fs'

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import {
  HEADERS,
  IGNORED_REASONS,
  isDeeperThan,
  isIdentifier,
  isJsonObject,
  isTerminalJobStatus,
  JOB_STATUSES,
  parseWorkerStatus,
  PROTOCOL_VERSION,
  protocolWarning,
  TASK_ERROR_CODES,
  taskErrorSemantics,
} from '../src/index.ts'

describe('protocolWarning', () => {
  it('is silent for our version and for peers without one', () => {
    expect(protocolWarning(PROTOCOL_VERSION)).toBeNull()
    expect(protocolWarning(undefined)).toBeNull()
    expect(protocolWarning('')).toBeNull()
  })

  it('names both versions and cuts a long one', () => {
    expect(protocolWarning('1.0b3')).toMatch(/1\.0b3.*1\.0b14/)
    expect(protocolWarning('9'.repeat(5000))?.length).toBeLessThan(120)
  })
})

describe('statuses', () => {
  it('end a job in five ways, cancelling among them (D-16)', () => {
    expect(JOB_STATUSES.filter(isTerminalJobStatus).sort()).toEqual([
      'cancelled',
      'error',
      'failed',
      'finished',
      'quarantined',
    ])
  })

  it.each([
    ['busy', 'busy'],
    ['active', 'idle'],
    [undefined, 'idle'],
    [null, 'idle'],
    ['sunbathing', 'idle'],
  ])('read a worker’s %j as %s', (sent, status) => {
    expect(parseWorkerStatus(sent)).toBe(status)
  })
})

describe('taskErrorSemantics', () => {
  it('decides for every code as older generations do', () => {
    const decided = Object.values(TASK_ERROR_CODES).map((code) => [code, taskErrorSemantics(code)])
    expect(Object.fromEntries(decided)).toEqual({
      TRANSIENT_ERROR: 'retry',
      PERMANENT_ERROR: 'quarantine',
      INVALID_INPUT_ERROR: 'fail',
      RESOURCE_EXHAUSTED_ERROR: 'retry',
      TIMEOUT_ERROR: 'retry',
      INTERNAL_ERROR: 'retry',
      LIMIT_EXCEEDED_ERROR: 'retry',
      DEPENDENCY_MISSING_ERROR: 'retry',
      SECURITY_ERROR: 'quarantine',
      DEPENDENCY_ERROR: 'quarantine',
      CONTRACT_VIOLATION_ERROR: 'quarantine',
      INTEGRITY_MISMATCH_ERROR: 'fail',
      LATE_RESULT: 'retry',
    })
  })

  it.each([undefined, null, '', 'NEW_ERROR', 'constructor'])('retries for %j', (code) => {
    expect(taskErrorSemantics(code)).toBe('retry')
  })

  it('has the same words in docs/reference/errors.md', () => {
    const text = readFileSync(new URL('../../../docs/reference/errors.md', import.meta.url), 'utf8')
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` +\| (retry|quarantine|fail) +\|/gm)]
    expect(new Map(rows.map((row) => [row[1], row[2]]))).toEqual(
      new Map(Object.values(TASK_ERROR_CODES).map((code) => [code, taskErrorSemantics(code)])),
    )
  })
})

describe('fixed words', () => {
  it('are those that deployed workers compare with', () => {
    expect(Object.values(IGNORED_REASONS)).toEqual([
      'deadline_exceeded',
      'job_cancelled',
      'job_not_found',
      'worker_mismatch',
      'stale_task',
      'job_already_terminated',
    ])
    expect(HEADERS).toMatchObject({
      clientToken: 'x-client-token',
      legacyClientToken: 'x-avtomatika-token',
      workerToken: 'x-worker-token',
      protocolVersion: 'x-rxon-version',
    })
  })
})

describe('identifiers', () => {
  it('are letters, digits, _ and -, at most 128', () => {
    expect(['a', 'A-1_b', 'x'.repeat(128)].every(isIdentifier)).toBe(true)
    expect(['', 'a b', 'a.b', 'a\n', 'é', 'x'.repeat(129), 7, null].some(isIdentifier)).toBe(false)
  })
})

describe('isDeeperThan', () => {
  it('counts levels of objects and arrays', () => {
    expect(isDeeperThan(7, 0)).toBe(false)
    expect(isDeeperThan({}, 0)).toBe(true)
    expect(isDeeperThan({ a: [1] }, 2)).toBe(false)
    expect(isDeeperThan({ a: [{}] }, 2)).toBe(true)
  })

  it('agrees with the plain recursive definition', () => {
    const depth = (value: unknown): number =>
      typeof value === 'object' && value !== null
        ? 1 + Math.max(0, ...Object.values(value).map(depth))
        : 0
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(7), (value, limit) => {
        expect(isDeeperThan(value, limit)).toBe(depth(value) > limit)
      }),
    )
  })
})

describe('isJsonObject', () => {
  it('takes plain objects only', () => {
    expect([{}, Object.create(null)].every(isJsonObject)).toBe(true)
    expect([[], null, 'x', new Date(0), new Map()].some(isJsonObject)).toBe(false)
  })
})
