/** Anybody who reaches Redis can speak on the channel of hints: that must not end an orchestrator. */
import { randomUUID } from 'node:crypto'
import { aJob, T0 } from '@avtomatika/core/testing'
import type { Hint } from '@avtomatika/core'
import { Redis } from 'ioredis'
import { expect, inject, it, onTestFinished, vi } from 'vitest'
import { parseHintMessage } from '../src/hint-message.ts'
import { RedisStorage } from '../src/index.ts'

const STREAM = { kind: 'stream', jobId: 'j', taskId: 't', workerId: 'w', chunks: [] }
const TASK = { kind: 'task', classId: 'resize', demand: { type: 'resize' } }

it.each([
  'hello',
  '',
  'null',
  '7',
  '[]',
  '{}',
  '{"from":"x"}',
  '{"from":"x","hints":{}}',
  '{"from":1,"hints":[]}',
])('what is no message is nothing: %s', (said) => {
  expect(parseHintMessage(said)).toBeUndefined()
})

it.each([
  null,
  7,
  {},
  { kind: 'unheard_of' },
  { kind: 'toString' },
  { kind: 'deadline' },
  { kind: 'deadline', at: 'soon' },
  { kind: 'job_ended' },
  { ...TASK, demand: undefined },
  { ...TASK, demand: {} },
  { ...TASK, classId: 7 },
  { ...TASK, workerId: 7 },
  { ...TASK, openToAllAt: 'soon' },
  { kind: 'withdrawn', workerId: 'w', jobId: 'j' },
  { kind: 'acknowledged', taskIds: 't' },
  { kind: 'acknowledged', taskIds: [1] },
  { kind: 'connected', workerId: 'w' },
  { ...STREAM, chunks: [{ id: 'c', seq: '1', chunk: 1 }] },
  { ...STREAM, chunks: [{ id: 'c', seq: 1 }] },
  { ...STREAM, taskId: 7 },
  { kind: 'stream_mark' },
])('what is no hint is left out: %j', (hint) => {
  const said = JSON.stringify({ from: 'x', hints: [hint, { kind: 'step' }] })
  expect(parseHintMessage(said)).toEqual({ from: 'x', hints: [{ kind: 'step' }] })
})

it.each([
  { kind: 'record' },
  { kind: 'message' },
  { kind: 'deadline', at: T0 },
  { kind: 'job_ended', jobId: 'a' },
  TASK,
  { ...TASK, workerId: 'w', openToAllAt: T0 },
  { kind: 'withdrawn', workerId: 'w', jobId: 'j', taskId: 't' },
  { kind: 'acknowledged', taskIds: ['t'] },
  { kind: 'connected', workerId: 'w', connectionId: 'c' },
  { ...STREAM, chunks: [{ id: 'c', seq: null, chunk: null }] },
  { kind: 'stream_mark', id: 'm' },
])('a hint is taken as it is: %j', (hint) => {
  const said = JSON.stringify({ from: 'x', hints: [hint] })
  expect(parseHintMessage(said)).toEqual({ from: 'x', hints: [hint] })
})

async function open(prefix: string, db: number): Promise<RedisStorage> {
  const { hostname: host, port } = new URL(inject('redisUrl'))
  const storage = await RedisStorage.open({ host, port: Number(port), db, prefix })
  onTestFinished(() => storage.close())
  return storage
}

function heardBy(storage: RedisStorage): Hint[] {
  const heard: Hint[] = []
  storage.onHint((hint) => heard.push(hint))
  return heard
}

const creation = (id: string) => {
  const effects = [{ kind: 'set_deadline', key: 'job', at: T0 }] as const
  return { job: aJob({ id }), expectedVersion: 0, effects }
}

it('a stranger on the channel is not listened to', async () => {
  const prefix = randomUUID()
  const [one, two] = [await open(prefix, 0), await open(prefix, 0)]
  const heard = heardBy(two)
  const stranger = new Redis(inject('redisUrl'))
  onTestFinished(() => stranger.disconnect())
  expect(await stranger.publish(`${prefix}:{0}:hints:0`, 'hello')).toBe(2)
  await one.commit([creation('job-1')])
  await vi.waitFor(() => expect(heard).toEqual([{ kind: 'deadline', at: T0 }]))
})

it('stores in different databases do not hear each other', async () => {
  const prefix = randomUUID()
  const [one, other, same] = [await open(prefix, 0), await open(prefix, 1), await open(prefix, 0)]
  const [heardByOther, heardBySame] = [heardBy(other), heardBy(same)]
  await one.commit([creation('job-1')])
  await vi.waitFor(() => expect(heardBySame).toHaveLength(1))
  await other.ping()
  expect(heardByOther).toEqual([])
})
