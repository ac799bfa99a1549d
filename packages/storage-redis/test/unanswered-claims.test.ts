/** A claim that Redis grants while its answer is lost must not idle until the lease runs out. */
import { randomUUID } from 'node:crypto'
import { UnavailableError } from '@avtomatika/protocol'
import { aJob, T0 } from '@avtomatika/core/testing'
import { Redis } from 'ioredis'
import { expect, inject, it, onTestFinished } from 'vitest'
import { HintChannel } from '../src/hint-channel.ts'
import { RedisStorage } from '../src/index.ts'
import { RedisQueues } from '../src/redis-queues.ts'
import { RedisSession } from '../src/session.ts'

/** Redis does what it is asked, and its answer does not arrive. */
class DeafSession extends RedisSession {
  isDeaf = false

  override async run(...call: Parameters<RedisSession['run']>): ReturnType<RedisSession['run']> {
    const reply = await super.run(...call)
    if (!this.isDeaf) return reply
    throw new UnavailableError('STORAGE_UNAVAILABLE', { message: 'The answer was lost.' })
  }
}

const CLAIM = { leaseMs: 30_000, limit: 9 }
const NOBODY = { holder: 'somebody else', ...CLAIM }

async function world(): Promise<{
  readonly session: DeafSession
  readonly queues: RedisQueues
  readonly other: RedisStorage
}> {
  const prefix = randomUUID()
  const url = inject('redisUrl')
  const other = await RedisStorage.open({ url, prefix })
  onTestFinished(() => other.close())
  const redis = new Redis(url)
  onTestFinished(() => redis.disconnect())
  const keys = `${prefix}:{0}:`
  const session = new DeafSession({ redis, keys })
  session.open()
  const hints = new HintChannel({ session, name: `${keys}hints`, subscriber: redis })
  const effects = ['s-1', 's-2'].map((stepId) => ({ kind: 'run_step', stepId }) as const)
  await other.commit([{ job: aJob(), expectedVersion: 0, effects }])
  return { session, queues: new RedisQueues(session, hints), other }
}

it('is made good by the next claim, for its holder alone', async () => {
  const { session, queues, other } = await world()
  session.isDeaf = true
  await expect(queues.claimSteps({ ...CLAIM, holder: 'we', now: T0 })).rejects.toThrow('lost')
  session.isDeaf = false
  expect(await other.claimSteps({ ...NOBODY, now: T0 + 1 })).toEqual([])
  const claimed = await queues.claimSteps({ ...CLAIM, holder: 'we', now: T0 + 2 })
  expect(claimed.map(({ stepId }) => stepId)).toEqual(['s-1', 's-2'])
  // Given back once: what was then heard of is held as ever.
  expect(await queues.claimSteps({ ...CLAIM, holder: 'we', now: T0 + 3 })).toEqual([])
})

it('gives back nothing of others, and nothing that was heard of', async () => {
  const { session, queues, other } = await world()
  const [heard] = await queues.claimSteps({ leaseMs: 30_000, limit: 1, holder: 'we', now: T0 })
  expect(heard?.stepId).toBe('s-1')
  // To the millisecond at the same time as ours, which finds nothing.
  await other.claimSteps({ ...NOBODY, now: T0 + 1 })
  session.isDeaf = true
  await expect(queues.claimSteps({ ...CLAIM, holder: 'we', now: T0 + 1 })).rejects.toThrow('lost')
  session.isDeaf = false
  expect(await queues.claimSteps({ ...CLAIM, holder: 'we', now: T0 + 2 })).toEqual([])
})
