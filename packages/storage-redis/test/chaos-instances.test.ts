/** Orchestrators that get in each other's way: every step's outcome counts once (D-21, D-22). */
import { describe, expect, it } from 'vitest'
import { builtPrograms } from './support/build-programs.ts'
import { fastClock, type FastTime } from './support/fast-clock.ts'
import { Stage } from './support/stage.ts'
import type { Said } from './support/test-process.ts'

/** An orchestrator may be silent about a step for so long before others take it. */
const STEP_LEASE_MS = 10_000
const PATH = ['think > act', 'act > done']

const programs = builtPrograms()

/** A time of which so much passes in one of ours. */
function fast(speed: number): FastTime {
  return { origin: Date.now(), speed }
}

function isHandler(said: Said): said is Extract<Said, { kind: 'handler' }> {
  return said.kind === 'handler'
}

describe('a handler', { timeout: 90_000 }, () => {
  it('that blocks its process for longer than its claim is run elsewhere, and counts once', async () => {
    const stage = await Stage.open(programs())
    const time = fast(10)
    const blocked = await stage.orchestrator({ time, manner: 'blocks' })
    // The answer may be held up as well.
    const creating = blocked.client.createJob('/jobs/thinker', {})
    const { jobId } = await blocked.process.hears(isHandler)
    const free = await stage.orchestrator({ time })
    await stage.worker({ orchestratorUrl: free.url })
    await stage.ended([jobId])
    const before = await free.client.getJob(jobId)
    blocked.process.say('go on')
    expect(await creating).toEqual({ jobId })
    // It ends when what it was at has ended.
    await blocked.process.kill('SIGTERM')
    await stage.ledger.complete()
    expect(stage.ledger.pathOf(jobId)).toEqual(PATH)
    expect(stage.ledger.endsOf(jobId)).toEqual(['job_finished'])
    expect(stage.ledger.typesOf(jobId, 'task_dispatched')).toHaveLength(1)
    expect(before.result).toBe(free.process.pid)
    expect((await free.client.getJob(jobId)).raw).toEqual(before.raw)
  })

  it('that waits for longer than its claim keeps it, and is run by nobody else', async () => {
    const stage = await Stage.open(programs())
    // Renewals come every third of a lease; a busy machine must not be too late for two of them.
    const time = fast(3)
    const patient = await stage.orchestrator({ time, manner: 'awaits' })
    const { jobId } = await patient.client.createJob('/jobs/thinker', {})
    await patient.process.hears(isHandler)
    const free = await stage.orchestrator({ time })
    await new Promise<void>((resolve) => fastClock(time).after(2 * STEP_LEASE_MS, resolve))
    expect(free.process.said.filter(isHandler)).toEqual([])
    patient.process.say('go on')
    await stage.worker({ orchestratorUrl: free.url })
    await stage.ended([jobId])
    const { result } = await free.client.getJob(jobId)
    expect(result).toBe(patient.process.pid)
    expect(stage.ledger.pathOf(jobId)).toEqual(PATH)
    expect(stage.ledger.endsOf(jobId)).toEqual(['job_finished'])
  })
})

describe('two orchestrators with one instance id', { timeout: 90_000 }, () => {
  it('run every handler once, and count its outcome once', async () => {
    const stage = await Stage.open(programs())
    const [one, twin] = await Promise.all([
      stage.orchestrator({ instanceId: 'twin' }),
      stage.orchestrator({ instanceId: 'twin' }),
    ])
    await stage.worker({ orchestratorUrl: one.url, workerId: 'worker-1' })
    await stage.worker({ orchestratorUrl: twin.url, workerId: 'worker-2' })
    const created = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        (i % 2 === 0 ? one : twin).client.createJob('/jobs/thinker', {}),
      ),
    )
    const jobIds = created.map(({ jobId }) => jobId)
    await stage.ended(jobIds)
    const ran = [...one.process.said, ...twin.process.said].filter(isHandler)
    const each = ran.map(({ jobId, state }) => `${jobId} ${state}`)
    expect(each.sort()).toEqual(
      jobIds.flatMap((id) => [`${id} act`, `${id} done`, `${id} think`]).sort(),
    )
    for (const jobId of jobIds) {
      expect({ jobId, path: stage.ledger.pathOf(jobId) }).toEqual({ jobId, path: PATH })
      expect(stage.ledger.endsOf(jobId)).toEqual(['job_finished'])
    }
    // Both had a share; else this would have been a test of one.
    expect(one.process.said.some(isHandler) && twin.process.said.some(isHandler)).toBe(true)
  })

  it('finish what the other had begun when it was killed', async () => {
    const stage = await Stage.open(programs())
    const time = fast(10)
    const dead = await stage.orchestrator({ time, instanceId: 'twin', manner: 'awaits' })
    const { jobId } = await dead.client.createJob('/jobs/thinker', {})
    await dead.process.hears(isHandler)
    const twin = await stage.orchestrator({ time, instanceId: 'twin' })
    await dead.process.kill()
    await stage.worker({ orchestratorUrl: twin.url })
    await stage.ended([jobId])
    expect((await twin.client.getJob(jobId)).result).toBe(twin.process.pid)
    expect(stage.ledger.pathOf(jobId)).toEqual(PATH)
    expect(stage.ledger.endsOf(jobId)).toEqual(['job_finished'])
  })
})
