/** Results that come twice, too late, out of order or from the wrong hand: answered, and applied once at most (D-13, D-14). */
import { describe, expect, it } from 'vitest'
import { builtPrograms } from './support/build-programs.ts'
import type { RawTask } from './support/raw-worker.ts'
import { Stage, type Orchestrator } from './support/stage.ts'

/** A worker is given up after two of these. */
const HEALTH_MS = 30_000

const programs = builtPrograms()

interface Pair {
  readonly stage: Stage
  readonly one: Orchestrator
  readonly other: Orchestrator
}

async function twoOrchestrators(config: object = {}): Promise<Pair> {
  const stage = await Stage.open(programs())
  const settings = { config: { workerHealthIntervalMs: HEALTH_MS, ...config } }
  const [one, other] = await Promise.all([
    stage.orchestrator(settings),
    stage.orchestrator(settings),
  ])
  return { stage, one, other }
}

describe('a result', { timeout: 60_000 }, () => {
  it('that is sent twenty times at once counts once, and gets one answer', async () => {
    const { stage, one, other } = await twoOrchestrators()
    const worker = await stage.rawWorker(one, 'w1')
    const { jobId } = await one.client.createJob('/jobs/row', {})
    const first = await worker.takeOne()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        worker.report(first, {}, i % 2 === 0 ? one.url : other.url),
      ),
    )
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
      new Set([JSON.stringify({ status: 'accepted', transition: 'success_transition' })]),
    )
    await worker.report(await worker.takeOne())
    await worker.report(await worker.takeOne())
    await stage.ended([jobId])
    expect(stage.ledger.pathOf(jobId)).toEqual(['one > two', 'two > three', 'three > done'])
    expect(stage.ledger.typesOf(jobId, 'task_finished')).toHaveLength(3)
    expect(stage.ledger.contradictions).toEqual([])
  })

  it('under any name but the right one changes nothing', async () => {
    const { stage, one, other } = await twoOrchestrators()
    const [worker, thief] = await Promise.all([
      stage.rawWorker(one, 'w1'),
      stage.rawWorker(other, 'thief'),
    ])
    const { jobId } = await one.client.createJob('/jobs/row', {})
    const task = await worker.takeOne()
    const { jobId: otherJob } = await other.client.createJob('/jobs/single', {})
    const otherTask = await thief.takeOne()
    const reasonOf = async (words: object): Promise<unknown> =>
      (await thief.report(task, words))['reason']
    expect(await reasonOf({})).toBe('worker_mismatch')
    expect(await reasonOf({ task_id: 'made-up' })).toBe('stale_task')
    expect(await reasonOf({ task_id: nextAttempt(task) })).toBe('stale_task')
    expect(await reasonOf({ task_id: otherTask.task_id })).toBe('stale_task')
    expect(await reasonOf({ job_id: otherJob })).toBe('stale_task')
    expect(await reasonOf({ job_id: 'made-up' })).toBe('job_not_found')
    expect(stage.ledger.pathOf(jobId)).toEqual([])
    expect(await worker.report(task)).toMatchObject({ status: 'accepted' })
    expect(await thief.report(otherTask)).toMatchObject({ status: 'accepted' })
    await stage.ended([otherJob])
    await stage.ledger.until(() => stage.ledger.pathOf(jobId).length > 0)
    expect(stage.ledger.typesOf(jobId, 'task_finished')).toMatchObject([{ workerId: 'w1' }])
  })

  it('for another attempt than the one that was handed out changes nothing', async () => {
    const { stage, one } = await twoOrchestrators()
    const worker = await stage.rawWorker(one, 'w1')
    const { jobId } = await one.client.createJob('/jobs/single', {})
    const task = await worker.takeOne()
    expect(await worker.report(task, { attempt: 2 })).toMatchObject({ reason: 'stale_task' })
    expect(await worker.report(task)).toMatchObject({ status: 'accepted' })
    await stage.ended([jobId])
  })

  it('for a task that nobody has taken yet changes nothing, though its id can be guessed', async () => {
    const { stage, one } = await twoOrchestrators()
    const { jobId } = await one.client.createJob('/jobs/single', {})
    await stage.ledger.until(() => stage.ledger.typesOf(jobId, 'task_dispatched').length > 0)
    const [{ taskId = '' } = {}] = stage.ledger.typesOf(jobId, 'task_dispatched')
    const worker = await stage.rawWorker(one, 'w1')
    const guess = { job_id: jobId, task_id: taskId, attempt: 1 }
    expect(await worker.report(guess)).toMatchObject({ reason: 'stale_task' })
    const task = await worker.takeOne()
    expect(task).toMatchObject(guess)
    expect(await worker.report(task)).toMatchObject({ status: 'accepted' })
    await stage.ended([jobId])
  })

  it('that comes when its task is with somebody else is too late, before and after the end', async () => {
    const { stage, one, other } = await twoOrchestrators({ workerHealthIntervalMs: 500 })
    const late = await stage.rawWorker(one, 'late')
    const { jobId } = await one.client.createJob('/jobs/single', {})
    const task = await late.takeOne()
    // `late` has not been heard of for a second, so its task is another's.
    await stage.ledger.until(() => stage.ledger.typesOf(jobId, 'task_lost').length > 0)
    const heir = await stage.rawWorker(other, 'heir')
    const again = await heir.takeOne()
    expect(again).toMatchObject({ task_id: nextAttempt(task), attempt: 2 })
    expect(await late.report(task)).toMatchObject({ status: 'ignored', reason: 'stale_task' })
    expect(await heir.report(again)).toMatchObject({ status: 'accepted' })
    await stage.ended([jobId])
    expect(await late.report(task)).toMatchObject({ reason: 'job_already_terminated' })
    expect(await one.client.getJob(jobId)).toMatchObject({ result: { by: 'heir' } })
    expect(stage.ledger.endsOf(jobId)).toEqual(['job_finished'])
  })

  it('for a job that was cancelled changes nothing', async () => {
    const { stage, one, other } = await twoOrchestrators()
    const worker = await stage.rawWorker(one, 'w1')
    const { jobId } = await one.client.createJob('/jobs/single', {})
    const task = await worker.takeOne()
    await other.client.cancelJob(jobId)
    expect(await worker.report(task)).toMatchObject({ reason: 'job_cancelled' })
    await stage.ended([jobId])
    expect(stage.ledger.endsOf(jobId)).toEqual(['job_cancelled'])
    expect(stage.ledger.typesOf(jobId, 'task_finished')).toEqual([])
  })
})

describe('results of branches', { timeout: 60_000 }, () => {
  it('may come in any order, from anywhere and twice: the aggregator runs once, with all in order', async () => {
    const { stage, one, other } = await twoOrchestrators()
    const worker = await stage.rawWorker(one, 'w1')
    const { jobId } = await one.client.createJob('/jobs/fan', {})
    const tasks = await worker.take(20)
    const numberOf = (task: RawTask): number =>
      Number((task as { params?: { n?: number } }).params?.n)
    const answered = await Promise.all(
      [...tasks, ...tasks].reverse().map(async (task, i) => {
        const url = i % 2 === 0 ? one.url : other.url
        const answer = await worker.report(task, { data: { n: numberOf(task) } }, url)
        return answer['status'] === 'accepted' ? [task.task_id] : []
      }),
    )
    // The second of two may come when the branches have been put together, and is too late then.
    expect(new Set(answered.flat())).toEqual(new Set(tasks.map(({ task_id }) => task_id)))
    await stage.ended([jobId])
    const { result } = await one.client.getJob(jobId)
    expect(result).toEqual(Array.from({ length: 20 }, (_, n) => n))
    expect(stage.ledger.pathOf(jobId)).toEqual(['spread > collect', 'collect > done'])
    const ids = stage.ledger.typesOf(jobId, 'task_finished').map(({ taskId }) => taskId)
    expect(new Set(ids).size).toBe(20)
    expect(ids).toHaveLength(20)
  })
})

function nextAttempt({ task_id, attempt }: RawTask): string {
  return task_id.replace(/\d+$/, String(attempt + 1))
}
