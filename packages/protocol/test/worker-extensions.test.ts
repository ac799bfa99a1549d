/** What only our own peers say to each other. */
import { describe, expect, it } from 'vitest'

import {
  cancelledInPoll,
  knownFeatures,
  MAX_BATCHED_EVENTS,
  MAX_BATCHED_RESULTS,
  normaliseRegistration,
  parseEventBatch,
  parsePollReply,
  parseResultBatch,
  parseStreamChunk,
  parseTaskAck,
  streamPayload,
  WORKER_FEATURES,
} from '../src/index.ts'
import { readFixture } from './fixtures.ts'

describe('features', () => {
  it('are those that we know, whatever else a worker names', () => {
    expect(knownFeatures(['stream', 'x', 'acks', 'stream'])).toEqual(['acks', 'stream'])
    expect(normaliseRegistration(readFixture('WorkerRegistration.ours')).features).toEqual([
      ...WORKER_FEATURES,
    ])
  })

  it.each(['fork', 'b13', 'head'])('of a worker of the generation %s are none', (generation) => {
    const registration = normaliseRegistration(readFixture(`WorkerRegistration.${generation}`))
    expect(registration.features).toEqual([])
  })
})

describe('batches', () => {
  it('of results are handed on unread, in order', () => {
    const batch = parseResultBatch(readFixture('ResultBatch.ours'))
    expect(batch.map(({ job_id }) => job_id)).toEqual(['7c1f', '7c20'])
  })

  it.each([[[]], [Array.from({ length: MAX_BATCHED_RESULTS + 1 }, () => ({}))], [['x']], [{}]])(
    'of results that are none, or too many, are refused',
    (results) => {
      expect(() => parseResultBatch({ results })).toThrow('batch of results')
    },
  )

  it('of events are told from events, also from one with a field of that name', () => {
    expect(parseEventBatch(readFixture('EventBatch.ours'))).toHaveLength(2)
    expect(parseEventBatch(readFixture('WorkerEvent.head'))).toBeUndefined()
    expect(parseEventBatch({ event_type: 'note', events: [1] })).toBeUndefined()
    expect(parseEventBatch([])).toBeUndefined()
  })

  it('of too many events are refused', () => {
    const events = Array.from({ length: MAX_BATCHED_EVENTS + 1 }, () => ({}))
    expect(() => parseEventBatch({ events })).toThrow('batch of events')
  })
})

describe('acknowledgements', () => {
  it('name each task once', () => {
    expect(parseTaskAck({ task_ids: ['a', 'b', 'a'] })).toEqual(['a', 'b'])
  })

  it.each([{}, { task_ids: [] }, { task_ids: [''] }, { task_ids: 'a' }])('%j is none', (body) => {
    expect(() => parseTaskAck(body)).toThrow('acknowledgement')
  })
})

describe('pieces of output', () => {
  it.each([
    ['text', undefined],
    [{ a: 1 }, 0],
    [null, -3],
  ])('%j with the count %j comes back as it was sent', (chunk, seq) => {
    expect(parseStreamChunk(streamPayload(chunk, seq))).toEqual(
      seq === undefined ? { chunk } : { chunk, seq },
    )
  })

  it.each([undefined, {}, { seq: 1 }, { chunk: 1, seq: 1.5 }, { chunk: 1, seq: '1' }, []])(
    '%j is none',
    (payload) => {
      expect(parseStreamChunk(payload)).toBeUndefined()
    },
  )
})

describe('the answer to a poll', () => {
  it('may bring tasks to abort, and no task', () => {
    const body = readFixture('TaskBatch.ours-cancelled')
    expect(parsePollReply(body)).toEqual([])
    expect(cancelledInPoll(body)).toEqual(['task-7c1f-1-1'])
  })

  it.each([undefined, null, {}, readFixture('TaskPayload.ours'), readFixture('TaskBatch.ours')])(
    'brings none otherwise',
    (body) => {
      expect(cancelledInPoll(body)).toEqual([])
    },
  )
})
