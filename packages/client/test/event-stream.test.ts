import { describe, expect, it } from 'vitest'

import { ConnectionError } from '../src/index.ts'
import { EventStreamReader } from '../src/event-stream.ts'
import type { ServerSentEvent } from '../src/event-stream.ts'
import { thrownBy } from './setup.ts'

const STREAM =
  'retry: 1000\r\n\r\n: nothing new\n\nevent: chunk\nid: 7\ndata: {"a":\ndata: "ü€😀"}\n\n' +
  'garbage without a colon\nevent:status\rdata:1\r\rdata\n\nid: x\n\nevent: lost\n\ndata: 2\n\n'

const EVENTS = [
  { name: 'chunk', lastEventId: '7', data: '{"a":\n"ü€😀"}' },
  { name: 'status', lastEventId: '7', data: '1' },
  { name: 'message', lastEventId: '7', data: '' },
  { name: 'message', lastEventId: 'x', data: '2' },
]

function read(bytes: Uint8Array, cuts: readonly number[]): readonly ServerSentEvent[] {
  const reader = new EventStreamReader()
  const ends = [...cuts, bytes.length]
  return ends.flatMap((end, i) => reader.push(bytes.subarray(ends[i - 1] ?? 0, end)))
}

describe('an event stream', () => {
  it('says the same however its bytes are cut', () => {
    const bytes = new TextEncoder().encode(STREAM)
    expect(read(bytes, [])).toEqual(EVENTS)
    for (let at = 1; at < bytes.length; at += 1) {
      expect(read(bytes, [at]), `cut at ${at}`).toEqual(EVENTS)
    }
    expect(read(bytes, [...bytes.keys()])).toEqual(EVENTS)
  })

  it('has no event that was not ended', () => {
    expect(read(new TextEncoder().encode('event: chunk\ndata: {"chunk": 1}\n'), [])).toEqual([])
  })

  it.each([
    ['one line without an end', 'data: ' + 'x'.repeat(1000)],
    ['lines without an end', 'data: ' + 'x'.repeat(1000) + '\n'],
    ['empty lines of data without an end', 'data\n'.repeat(200)],
  ])('is given up when it sends %s, before it fills the memory', (_what, piece) => {
    const reader = new EventStreamReader()
    const bytes = new TextEncoder().encode(piece)
    let taken = 0
    const error = thrownBy(() => {
      for (; taken < 20_000; taken += 1) reader.push(bytes)
    })
    expect(ConnectionError.is(error)).toBe(true)
    expect(error).toMatchObject({ code: 'UNEXPECTED_RESPONSE' })
    expect(taken * piece.length).toBeLessThan(8 * 1024 * 1024)
  })
})
