/** Job documents and what is written with them. */
import type { CommitEntry, CommitOutcome, EpochMs, Job } from '@avtomatika/core'
import { hintsOf } from '@avtomatika/core'
import type { Answer, Call } from './call.ts'
import { commitPlan, deadlineId } from './commit-plan.ts'
import type { HintChannel } from './hint-channel.ts'
import { JobDocuments, type Fields } from './job-documents.ts'
import { lists, number, pairs, texts } from './reply.ts'
import type { Reply } from './script-runner.ts'
import { SCRIPTS } from './scripts.ts'
import type { RedisSession } from './session.ts'

export class RedisJobs {
  readonly #session: RedisSession
  readonly #hints: HintChannel
  readonly #documents: JobDocuments

  constructor(session: RedisSession, hints: HintChannel) {
    this.#session = session
    this.#hints = hints
    this.#documents = new JobDocuments(hints.origin.slice(0, 8))
  }

  async commit(entries: Call<'commit'>): Promise<readonly CommitOutcome[]> {
    const planned = entries.map((entry) => ({ entry, parts: this.#documents.partsOf(entry.job) }))
    const { plan, blobs } = commitPlan(planned, this.#hints.origin)
    const replies = await this.#session.run(SCRIPTS.commit, plan, this.#hints.name, ...blobs)
    return planned.map(({ entry, parts }, i) => {
      const outcome = this.#outcome(entry, (replies as readonly Reply[])[i] ?? null)
      if (outcome.kind === 'committed') this.#documents.noteWritten(entry.job, parts)
      return outcome
    })
  }

  async findJob(jobId: Call<'findJob'>): Promise<Job | undefined> {
    const known = this.#documents.known(jobId)
    if (known === undefined) return this.#documents.read(await this.#fieldsOf(jobId))
    const reply = await this.#session.run(SCRIPTS.findJob, jobId, known.marks)
    return this.#documents.read(Object.fromEntries(pairs(reply)), known)
  }

  async findCreated({ key, now }: Call<'findCreated'>): Answer<'findCreated'> {
    const [jobId, fingerprint, expiresAt] = await this.#session.ask((redis, keys) =>
      redis.hmget(`${keys}idem:${key}`, 'job', 'fp', 'exp'),
    )
    if (jobId == null || fingerprint == null || Number(expiresAt) <= now) return undefined
    return { jobId, fingerprint }
  }

  async listQuarantined({ ownerId, limit }: Call<'listQuarantined'>): Promise<readonly Job[]> {
    const name = ownerId === undefined ? 'quarantined' : `quarantined:${ownerId}`
    const ids = await this.#session.ask((redis, keys) =>
      redis.zrevrange(`${keys}${name}`, 0, limit - 1),
    )
    const jobs = await Promise.all(ids.map((id) => this.findJob(id)))
    return jobs.filter((job) => job !== undefined)
  }

  async removeEndedJobs({ endedBefore, limit }: Call<'removeEndedJobs'>): Promise<number> {
    return number(await this.#session.run(SCRIPTS.removeEnded, endedBefore, limit)) ?? 0
  }

  async claimQuietJobs(claim: Call<'claimQuietJobs'>): Promise<readonly Job[]> {
    const { now, quietMs, leaseMs, limit } = claim
    const args = [now - quietMs, now + leaseMs - quietMs, limit]
    const hashes = await this.#session.run(SCRIPTS.claimQuiet, ...args)
    const jobs = lists(hashes).map((hash) => this.#documents.read(Object.fromEntries(pairs(hash))))
    return jobs.filter((job) => job !== undefined)
  }

  async findMissing(
    reasons: Call<'findMissing'>,
    givenBefore: EpochMs,
  ): Promise<Call<'findMissing'>> {
    const { steps, tasks, offered, deadlines } = reasons
    const timers = deadlines.map(({ jobId, key }) => deadlineId(jobId, key))
    const kinds = { step: steps, task: tasks, offered, deadline: timers }
    const named = Object.entries(kinds).flatMap(([kind, ids]) => ids.flatMap((id) => [kind, id]))
    const missing = new Set(
      texts(await this.#session.run(SCRIPTS.findMissing, givenBefore, ...named)),
    )
    return {
      steps: steps.filter((id) => missing.has(`step ${id}`)),
      tasks: tasks.filter((id) => missing.has(`task ${id}`)),
      offered: offered.filter((id) => missing.has(`offered ${id}`)),
      deadlines: deadlines.filter((_, i) => missing.has(`deadline ${String(timers[i])}`)),
    }
  }

  #fieldsOf(jobId: string): Promise<Fields> {
    return this.#session.ask((redis, keys) => redis.hgetallBuffer(`${keys}job:${jobId}`))
  }

  #outcome(entry: CommitEntry, reply: Reply): CommitOutcome {
    const [word, ...rest] = texts(reply)
    if (word === 'same') {
      const [jobId = '', fingerprint = ''] = rest
      return { kind: 'duplicate', jobId, fingerprint }
    }
    if (word === 'full') return { kind: 'no_room' }
    if (word !== 'ok') return { kind: 'conflict' }
    const reservedFor = new Map<string, string>()
    for (let i = 0; i + 1 < rest.length; i += 2) {
      reservedFor.set(rest[i] ?? '', rest[i + 1] ?? '')
    }
    this.#hints.tellHere(hintsOf(entry, reservedFor))
    return { kind: 'committed' }
  }
}
