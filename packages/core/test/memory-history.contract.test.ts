import { describe, expect, it } from 'vitest'
import { MemoryHistory } from '../src/memory/index.ts'
import { aRecord, historyContract } from '../src/testing/index.ts'

describe('MemoryHistory', () => {
  const open = () => Promise.resolve(new MemoryHistory())
  for (const { name, run } of historyContract) it(name, () => run(open))

  it('forgets the job that came first when it has too many', async () => {
    const history = new MemoryHistory({ maxJobs: 2 })
    await history.append(
      ['a', 'b', 'a', 'c'].map((jobId, n) => aRecord({ jobId, eventId: `e${String(n)}` })),
    )
    expect(await history.ofJob('a')).toEqual([])
    expect(await history.ofJob('b')).toHaveLength(1)
    expect(await history.ofJob('c')).toHaveLength(1)
  })

  it('fails with STORAGE_CLOSED after it was closed', async () => {
    const history = new MemoryHistory()
    await history.close()
    await expect(history.ofJob('a')).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
    await expect(history.append([])).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
  })
})
