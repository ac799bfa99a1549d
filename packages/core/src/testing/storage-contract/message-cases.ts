/** Messages on their way to other jobs and to the world: S1 to S4. */
import assert from 'node:assert/strict'
import type { Effect } from '../../job/effect.ts'
import type { JobMessage } from '../../job/message.ts'
import type { Storage } from '../../ports/storage.ts'
import { aMessage, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { change, committed, creation, LEASE_MS, storageCase } from './acts.ts'

const A_YEAR = 365 * 24 * 3_600_000

/** Creates a job per message, in order; both share a name. */
async function sent(storage: Storage, ...jobIds: readonly string[]): Promise<void> {
  for (const jobId of jobIds) {
    const message = aMessage({ from: jobId, messageId: `${jobId}:1` })
    await committed(storage, creation(jobId, [{ kind: 'send', message }]))
  }
}

async function claimed(storage: Storage, now: number, limit = 100): Promise<readonly string[]> {
  const messages = await storage.claimMessages({ now, limit, leaseMs: LEASE_MS })
  return messages.map(({ messageId }) => messageId)
}

export const messageCases: readonly ContractCase<Storage>[] = [
  storageCase('S3 a message is handed out as it was handed in', async (storage) => {
    const message: JobMessage = {
      kind: 'notify',
      messageId: 'job-1:1:0',
      from: 'job-1',
      ownerId: 'client-1',
      url: 'https://example.org/ü?a=b',
      event: 'job_failed',
      status: 'failed',
      result: { list: [], none: null, nested: { text: 'ö' } },
      error: null,
      at: T0,
    }
    await committed(storage, creation('job-1', [{ kind: 'send', message }]))
    const claim = { now: T0, limit: 9, leaseMs: LEASE_MS }
    assert.deepEqual(await storage.claimMessages(claim), [message])
  }),
  storageCase(
    'S3 messages are handed out oldest first, no more than asked for',
    async (storage) => {
      await sent(storage, 'c', 'a', 'b')
      assert.deepEqual(await claimed(storage, T0, 2), ['c:1', 'a:1'])
      assert.deepEqual(await claimed(storage, T0), ['b:1'])
      assert.deepEqual(await claimed(storage, T0), [])
    },
  ),
  storageCase('S3 messages of one change keep their order', async (storage) => {
    const effects = ['z', 'y', 'x'].map(
      (messageId) => ({ kind: 'send', message: aMessage({ messageId }) }) as const,
    )
    await committed(storage, creation('job-1', effects))
    assert.deepEqual(await claimed(storage, T0), ['z', 'y', 'x'])
  }),
  storageCase(
    'S3 messages that are not acknowledged are handed out again (D-17, D-18)',
    async (storage) => {
      await sent(storage, 'a', 'b')
      await claimed(storage, T0)
      await sent(storage, 'c')
      assert.deepEqual(await claimed(storage, T0 + LEASE_MS - 1), ['c:1'])
      assert.deepEqual(await claimed(storage, T0 + LEASE_MS), ['a:1', 'b:1'])
    },
  ),
  storageCase('S3 acknowledged messages are forgotten, the others are not', async (storage) => {
    await sent(storage, 'a', 'b', 'c')
    await claimed(storage, T0)
    await storage.ackMessages(['a:1', 'c:1', 'unknown'])
    await storage.ackMessages([])
    assert.deepEqual(await claimed(storage, T0 + LEASE_MS), ['b:1'])
  }),
  storageCase('S3 acknowledged messages never come back', async (storage) => {
    await sent(storage, 'a')
    await storage.ackMessages(['a:1'])
    assert.deepEqual(await claimed(storage, T0), [])
    await sent(storage, 'b')
    await claimed(storage, T0)
    await storage.ackMessages(['b:1'])
    assert.deepEqual(await claimed(storage, T0 + A_YEAR), [])
  }),
  storageCase('S3 a message of the same id stands there once', async (storage) => {
    const effect = { kind: 'send', message: aMessage({ messageId: 'same' }) } as const
    await committed(storage, creation('job-1', [effect]))
    await committed(storage, change('job-1', 1, [effect, effect]))
    assert.deepEqual(await claimed(storage, T0), ['same'])
    await storage.ackMessages(['same'])
    assert.deepEqual(await claimed(storage, T0 + LEASE_MS), [])
  }),
  storageCase('S4 a message sent again does not end the lease on it', async (storage) => {
    const effect = { kind: 'send', message: aMessage({ messageId: 'same' }) } as const
    await committed(storage, creation('job-1', [effect]))
    await claimed(storage, T0)
    await committed(storage, change('job-1', 1, [effect]))
    assert.deepEqual(await claimed(storage, T0 + LEASE_MS - 1), [])
    assert.deepEqual(await claimed(storage, T0 + LEASE_MS), ['same'])
  }),
  storageCase('S3 a message sent again keeps its place and its first content', async (storage) => {
    await sent(storage, 'a', 'b')
    const again = aMessage({ from: 'a', messageId: 'a:1', reason: 'said later' })
    await committed(storage, change('a', 1, [{ kind: 'send', message: again }]))
    const claim = { now: T0, limit: 1, leaseMs: LEASE_MS }
    const first = aMessage({ from: 'a', messageId: 'a:1' })
    assert.deepEqual(await storage.claimMessages(claim), [first])
  }),
  storageCase('S3 messages claimed at the same time are claimed once', async (storage) => {
    await sent(storage, 'a', 'b', 'c')
    const claims = await Promise.all([1, 2, 3].map(() => claimed(storage, T0, 2)))
    assert.deepEqual(claims.flat().toSorted(), ['a:1', 'b:1', 'c:1'])
  }),
  storageCase('S3 no message is dropped, however long it waits', async (storage) => {
    const names = Array.from({ length: 300 }, (_, n) => `m${String(n)}`)
    const effects = names.map(
      (messageId) => ({ kind: 'send', message: aMessage({ messageId }) }) as const,
    )
    await committed(storage, creation('job-1', effects))
    assert.deepEqual(await claimed(storage, T0, 1_000), names)
    assert.deepEqual(await claimed(storage, T0 + A_YEAR, 1_000), names)
  }),
  storageCase('S3 a message is kept although its hint was heeded by nobody', async (storage) => {
    const stop = storage.onHint(() => undefined)
    await sent(storage, 'a')
    stop()
    assert.deepEqual(await claimed(storage, T0 + A_YEAR), ['a:1'])
  }),
  storageCase(
    'S1 of a batch, the entries that are written send their messages',
    async (storage) => {
      const sending = (id: string): readonly Effect[] => [
        { kind: 'send', message: aMessage({ messageId: id }) },
      ]
      await committed(storage, creation('job-1'))
      const outcomes = await storage.commit([
        creation('job-2', sending('a')),
        creation('job-1', sending('b')),
        change('job-2', 1, sending('c')),
      ])
      assert.deepEqual(
        outcomes.map(({ kind }) => kind),
        ['committed', 'conflict', 'committed'],
      )
      assert.deepEqual(await claimed(storage, T0), ['a', 'c'])
    },
  ),
  storageCase('S2 a stale change sends nothing (D-15)', async (storage) => {
    await committed(storage, creation('job-1'))
    const entry = change('job-1', 7, [{ kind: 'send', message: aMessage() }])
    assert.deepEqual(await storage.commit([entry]), [{ kind: 'conflict' }])
    assert.deepEqual(await claimed(storage, T0), [])
  }),
  storageCase('S2 of changes made at the same time, one sends its message', async (storage) => {
    await committed(storage, creation('job-1'))
    const tries = ['a', 'b', 'c'].map((messageId) =>
      storage.commit([change('job-1', 1, [{ kind: 'send', message: aMessage({ messageId }) }])]),
    )
    const outcomes = (await Promise.all(tries)).flat()
    const winner = ['a', 'b', 'c'][outcomes.findIndex(({ kind }) => kind === 'committed')]
    assert.deepEqual(await claimed(storage, T0), [winner])
  }),
  storageCase('S3 messages and records do not get in each other’s way', async (storage) => {
    await sent(storage, 'a')
    assert.deepEqual(await storage.claimRecords({ now: T0, limit: 9, leaseMs: LEASE_MS }), [])
    await storage.ackRecords(['a:1'])
    assert.deepEqual(await claimed(storage, T0), ['a:1'])
  }),
]
