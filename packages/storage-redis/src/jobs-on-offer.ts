/** Looks for jobs that have tasks on offer. */
import type { Job } from '@avtomatika/core'
import type { Redis } from 'ioredis'
import type { Call } from './call.ts'
import { jobIn } from './job-documents.ts'

/** Tasks that one question looks at in a go, and in all: it is no one's affair to read a million. */
const PAGE = 200
const MAX_LOOKED_AT = 10_000

/** Jobs with tasks on offer, found by walking over the set of those tasks. */
export async function jobsOnOffer(
  redis: Redis,
  keys: string,
  { ownerId, limit }: Call<'listJobsOnOffer'>,
): Promise<readonly Job[]> {
  const found = new Map<string, Job>()
  const seen = new Set<string>()
  let cursor = '0'
  let lookedAt = 0
  do {
    const [next, taskIds] = await redis.sscan(`${keys}offered`, cursor, 'COUNT', PAGE)
    cursor = next
    lookedAt += taskIds.length
    const owners = await Promise.all(taskIds.map((id) => redis.hget(`${keys}task:${id}`, 'j')))
    const jobIds = new Set(owners.filter((id) => id !== null && !seen.has(id)))
    const documents = [...jobIds].map((id) => redis.hgetallBuffer(`${keys}job:${String(id)}`))
    for (const fields of await Promise.all(documents)) {
      const job = jobIn(fields)
      if (job === undefined) continue
      seen.add(job.id)
      if (ownerId === undefined || job.owner.clientId === ownerId) found.set(job.id, job)
    }
  } while (cursor !== '0' && found.size < limit && lookedAt < MAX_LOOKED_AT)
  return [...found.values()].slice(0, limit)
}
