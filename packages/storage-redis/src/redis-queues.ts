/** Steps, deadlines, history records and messages: each stands in a queue under leases. */
import type { DeadlineKey, EpochMs, HistoryRecord, JobMessage } from '@avtomatika/core'
import type { Answer, Call } from './call.ts'
import { decode } from './codec.ts'
import { deadlineId } from './commit-plan.ts'
import type { HintChannel } from './hint-channel.ts'
import { buffers, number, pairs } from './reply.ts'
import { SCRIPTS } from './scripts.ts'
import type { RedisSession } from './session.ts'
import { UnansweredClaims } from './unanswered-claims.ts'

interface Claim {
  readonly now: EpochMs
  readonly leaseMs: number
  readonly limit: number
}

export class RedisQueues {
  readonly #session: RedisSession
  readonly #hints: HintChannel
  readonly #unanswered = new UnansweredClaims()

  constructor(session: RedisSession, hints: HintChannel) {
    this.#session = session
    this.#hints = hints
  }

  async claimSteps({ holder, ...claim }: Call<'claimSteps'>): Answer<'claimSteps'> {
    const leaseExpiresAt = claim.now + claim.leaseMs
    const claimed = await this.#claim('steps', claim, { holder })
    return claimed.map(([stepId, job]) => ({ stepId, jobId: job.toString(), leaseExpiresAt }))
  }

  async renewStep({ stepId, holder, now, leaseMs }: Call<'renewStep'>): Promise<boolean> {
    const args = ['renew', stepId, holder, now, now + leaseMs]
    return (await this.#session.run(SCRIPTS.step, ...args)) === 1
  }

  async releaseStep({ stepId, holder }: Call<'releaseStep'>): Promise<boolean> {
    const isReleased = (await this.#session.run(SCRIPTS.step, 'release', stepId, holder)) === 1
    if (isReleased) await this.#hints.tellAll([{ kind: 'step' }])
    return isReleased
  }

  async dropStep(stepId: Call<'dropStep'>): Promise<void> {
    await this.#session.run(SCRIPTS.remove, 'steps', stepId)
  }

  countSteps(): Answer<'countSteps'> {
    return this.#session.ask(async (redis, keys) => {
      const [ready, leased] = await Promise.all([
        redis.zcard(`${keys}steps:ready`),
        redis.zcard(`${keys}steps:leased`),
      ])
      return { ready, leased }
    })
  }

  async claimDueDeadlines(claim: Call<'claimDueDeadlines'>): Answer<'claimDueDeadlines'> {
    const due = await this.#claim('deadlines', claim, { onlyDue: true })
    return due.map(([id, at]) => {
      const [key, jobId] = splitOnce(id, '|')
      return { jobId, key: key as DeadlineKey, at: Number(at.toString()) }
    })
  }

  async dropDeadline({ jobId, key, at }: Call<'dropDeadline'>): Promise<void> {
    await this.#session.run(SCRIPTS.dropDeadline, deadlineId(jobId, key), String(at))
  }

  async nextDueAt(): Promise<number | undefined> {
    return number(await this.#session.run(SCRIPTS.nextDue))
  }

  async claimRecords(claim: Call<'claimRecords'>): Promise<readonly HistoryRecord[]> {
    const claimed = await this.#claim('records', claim)
    return claimed.map(([, bytes]) => decode<HistoryRecord>(bytes))
  }

  async ackRecords(eventIds: Call<'ackRecords'>): Promise<void> {
    await this.#session.run(SCRIPTS.remove, 'records', ...eventIds)
  }

  countRecords(): Promise<number> {
    return this.#session.ask((redis, keys) => redis.hlen(`${keys}records:item`))
  }

  async oldestRecordAt(): Promise<EpochMs | undefined> {
    const records = buffers(await this.#session.run(SCRIPTS.oldest, 'records'))
    const times = records.map((bytes) => decode<HistoryRecord>(bytes).at)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  async dropOldestRecords(limit: Call<'dropOldestRecords'>): Promise<number> {
    return number(await this.#session.run(SCRIPTS.dropOldest, 'records', limit)) ?? 0
  }

  async claimMessages(claim: Call<'claimMessages'>): Promise<readonly JobMessage[]> {
    const claimed = await this.#claim('messages', claim)
    return claimed.map(([, bytes]) => decode<JobMessage>(bytes))
  }

  async ackMessages(messageIds: Call<'ackMessages'>): Promise<void> {
    await this.#session.run(SCRIPTS.remove, 'messages', ...messageIds)
  }

  async #claim(
    queue: string,
    { now, leaseMs, limit }: Claim,
    { holder = this.#hints.origin, onlyDue = false }: { holder?: string; onlyDue?: boolean } = {},
  ): Promise<readonly (readonly [string, Buffer])[]> {
    const end = now + leaseMs
    const unanswered = this.#unanswered.of(queue, now)
    const args = [queue, now, end, limit, holder, onlyDue ? '1' : '', ...unanswered]
    try {
      const claimed = await this.#session.run(SCRIPTS.claim, ...args)
      this.#unanswered.settle(queue, unanswered)
      return pairs(claimed)
    } catch (error) {
      this.#unanswered.add(queue, end)
      throw error
    }
  }
}

function splitOnce(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark)
  return [text.slice(0, at), text.slice(at + 1)]
}
