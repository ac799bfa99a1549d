/** Workers that take tasks and do not answer: others do their work (D-26). */
import { expect, it, vi } from 'vitest'
import { builtPrograms } from './support/build-programs.ts'
import { Stage } from './support/stage.ts'

const HEALTH_MS = 1_000
/** A worker is given up after two missed heartbeats. */
const TTL_MS = 2 * HEALTH_MS
/** A claim is noted in the history some ms after its lease began, and orchestrators' clocks differ by some. */
const EARLY_MS = 250
/** On a busy machine things come late; a task that waited for its own timeout would be 300 s late. */
const SLACK_MS = 5_000

const programs = builtPrograms()

it(
  'gives the tasks of a worker that is silent to another when its time is up',
  { timeout: 60_000 },
  async () => {
    const stage = await Stage.open(programs())
    const settings = { config: { workerHealthIntervalMs: HEALTH_MS } }
    const [one, other] = await Promise.all([
      stage.orchestrator(settings),
      stage.orchestrator(settings),
    ])
    const silent = await stage.rawWorker(one, 'silent')
    const created = await Promise.all(
      Array.from({ length: 10 }, () => one.client.createJob('/jobs/single', {})),
    )
    const jobIds = created.map(({ jobId }) => jobId)
    await silent.take(10)
    await stage.worker({ orchestratorUrl: other.url })
    await stage.ended(jobIds)
    for (const jobId of jobIds) {
      const [taken, takenAgain, ...more] = stage.ledger.typesOf(jobId, 'task_claimed')
      expect([taken?.workerId, takenAgain?.workerId, more]).toEqual(['silent', 'honest', []])
      const waitedMs = (takenAgain?.at ?? Infinity) - (taken?.at ?? 0)
      expect(waitedMs).toBeGreaterThan(TTL_MS - EARLY_MS)
      expect(waitedMs).toBeLessThan(TTL_MS + SLACK_MS)
      expect(stage.ledger.endsOf(jobId)).toEqual(['job_finished'])
      expect(stage.ledger.typesOf(jobId, 'task_finished')).toHaveLength(1)
    }
  },
)

it(
  'tries a task again elsewhere when its worker lives but never answers',
  { timeout: 60_000 },
  async () => {
    const stage = await Stage.open(programs())
    const backoff = { initialMs: 1, factor: 1, maxMs: 1, jitter: 0 }
    const orchestrator = await stage.orchestrator({
      config: { workerHealthIntervalMs: HEALTH_MS, backoff },
    })
    const idler = await stage.rawWorker(orchestrator, 'idler')
    const { jobId } = await orchestrator.client.createJob('/jobs/hurried', {})
    const task = await idler.takeOne()
    await stage.worker({ orchestratorUrl: orchestrator.url })
    const cancelled = await vi.waitUntil(
      async () => (await idler.beat([task.task_id])).body['cancel_task_ids'],
      { timeout: 20_000, interval: 200 },
    )
    expect(cancelled).toEqual([task.task_id])
    await stage.ended([jobId])
    const { ledger } = stage
    expect(ledger.typesOf(jobId, 'task_claimed').map(({ workerId }) => workerId)).toEqual([
      'idler',
      'honest',
    ])
    // It was heard of all the time, so it was the task's own time that ran out.
    expect(ledger.typesOf(jobId, 'task_lost')).toEqual([])
    expect(ledger.endsOf(jobId)).toEqual(['job_finished'])
    expect(await idler.report(task)).toMatchObject({ status: 'ignored' })
  },
)
