/**
 * Real processes on one Redis, killed at random: no accepted job is lost, stuck or done twice (D-11).
 *
 * What is counted are history rows, which outlive their orchestrators: the row of a change is written
 * with it, so a change that was made twice has two.
 */
import type { HistoryRecord } from '@avtomatika/core'
import { expect, it, onTestFinished } from 'vitest'
import { SeededRandom } from '../../core/src/testing/seeded-random.ts'
import { RedisStorage } from '../src/index.ts'
import { builtPrograms } from './support/build-programs.ts'
import { Callers } from './support/callers.ts'
import { Cluster } from './support/cluster.ts'
import { isEnd, Ledger } from './support/ledger.ts'
import { startRedis } from './support/redis-server.ts'

const JOBS = 2_000
const KILL_EVERY_MS = 300
/** Longer than any lease. */
const LATER_MS = 3_600_000
/** The usual is one minute; most of what is more is for machines that have other things to do. */
const WORK_MS = 400_000
const TIMEOUT_MS = WORK_MS + 60_000

interface Shape {
  /** The states that it leaves and enters, each once. */
  readonly path: readonly string[]
  readonly tasks: number
  readonly result: unknown
}

const SINGLE: Shape = { path: ['start > done'], tasks: 1, result: { n: 1 } }

const SHAPES: Readonly<Record<string, Shape>> = {
  single: SINGLE,
  row: { path: ['one > two', 'two > three', 'three > done'], tasks: 3, result: { n: 3 } },
  fan: {
    path: ['spread > collect', 'collect > done'],
    tasks: 20,
    result: Array.from({ length: 20 }, (_, n) => n),
  },
  parent: { path: ['start > done'], tasks: 0, result: 'finished' },
  patient: { path: ['rest > ask', 'ask > done'], tasks: 0, result: 'yes' },
}
const NAMES = Object.keys(SHAPES)

const programs = builtPrograms()

it(
  'ends every job once while orchestrators and workers are killed',
  { timeout: TIMEOUT_MS },
  async () => {
    // It decides who is killed, not what they are at when they are.
    const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
    const runs = new Map<string, number>()
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const cluster = await Cluster.start({
      programs: programs(),
      orchestrators: 3,
      workers: 4,
      settings: {
        redisUrl: redis.url,
        // A worker that is killed loses its tasks, over and over, which is no fault of theirs.
        config: { maxRetries: 1_000, workerHealthIntervalMs: 1_500 },
      },
      workMs: 10,
      random: new SeededRandom(seed),
      onSaid: (said) => {
        if (said.kind === 'task') count(runs, withoutAttempt(said.taskId))
      },
    })
    onTestFinished(() => cluster.stop())
    const callers = new Callers(cluster)
    onTestFinished(() => callers.close())

    const accepted = new Map<string, string>()
    const open = new Set<string>()
    const ledger = new Ledger(redis.url, (row) => {
      if (isEnd(row)) open.delete(row.jobId)
      if (row.type === 'approval_requested') callers.approve(row)
    })
    onTestFinished(() => ledger.close())
    const begunAt = performance.now()
    onTestFinished(() => {
      const seconds = (performance.now() - begunAt) / 1_000
      report({
        seed,
        seconds,
        accepted: accepted.size,
        open: open.size,
        runs,
        kills: cluster.kills,
      })
    })

    const quiet = new AbortController()
    const killing = cluster.killAtRandom(KILL_EVERY_MS, quiet.signal)
    const working = callers
      .create({
        jobs: JOBS,
        endpointOf: (n) => `/jobs/${nameOf(n)}`,
        onCreated: (jobId, n) => {
          accepted.set(jobId, nameOf(n))
          if (ledger.endsOf(jobId).length === 0) open.add(jobId)
        },
      })
      .then(() => ledger.until(() => open.size === 0, AbortSignal.timeout(WORK_MS)))
      .catch(async (error: unknown) => {
        throw new Error(`Not ended: ${await describeJobs([...open], redis.url)}`, { cause: error })
      })
    // When the killing ends first, it is because somebody fell without having been killed.
    working.catch(() => undefined)
    await Promise.race([working, killing])
    quiet.abort()
    await killing
    cluster.assertNoneFell()
    await cluster.stop()
    await ledger.complete()

    expect(accepted.size).toBe(JOBS)
    const children = ledger.jobIds.filter((jobId) => !accepted.has(jobId))
    expect(children).toHaveLength(JOBS / NAMES.length)
    expect(ledger.contradictions).toEqual([])
    const storage = await RedisStorage.open({ url: redis.url })
    onTestFinished(() => storage.close())
    for (const [jobId, name] of accepted) await expectEndedOnce(jobId, name, { ledger, storage })
    for (const jobId of children) await expectEndedOnce(jobId, 'single', { ledger, storage })
    await expectNothingLeft(storage)
  },
)

interface Evidence {
  readonly ledger: Ledger
  readonly storage: RedisStorage
}

async function expectEndedOnce(
  jobId: string,
  name: string,
  { ledger, storage }: Evidence,
): Promise<void> {
  const job = await storage.findJob(jobId)
  const rows = ledger.rowsOf(jobId)
  const { attempts, endings } = tasksIn(rows)
  const { path, tasks, result } = SHAPES[name] ?? {}
  expect({
    ...{ jobId, name, status: job?.status, result: job?.result },
    path: ledger.pathOf(jobId),
    tasks: new Set(attempts.map(withoutAttempt)).size,
    endings,
    ends: rows.filter(isEnd).map(({ type, version }) => `${type} in version ${version}`),
  }).toEqual({
    ...{ jobId, name, status: 'finished', result, path, tasks },
    // Each attempt ended once, by a result or a loss; what was never on offer did not end at all.
    endings: [...new Set(attempts)],
    // Nothing has changed it since.
    ends: [`job_finished in version ${job?.version ?? 0}`],
  })
}

/** What the first of these jobs are at. */
async function describeJobs(jobIds: readonly string[], redisUrl: string): Promise<string> {
  const storage = await RedisStorage.open({ url: redisUrl })
  try {
    const jobs = await Promise.all(jobIds.slice(0, 10).map((jobId) => storage.findJob(jobId)))
    const lines = jobs.map((job) => JSON.stringify([job?.id, job?.status, job?.state, job?.wait]))
    return [`${jobIds.length} jobs, such as`, ...lines].join('\n')
  } finally {
    await storage.close()
  }
}

async function expectNothingLeft(storage: RedisStorage): Promise<void> {
  const claim = { now: Date.now() + LATER_MS, leaseMs: LATER_MS, limit: 10 }
  expect(await storage.claimSteps({ ...claim, holder: 'nobody' })).toEqual([])
  expect(await storage.claimLostTasks(claim)).toEqual([])
  expect(await storage.claimDueDeadlines(claim)).toEqual([])
  expect(await storage.countOfferedTasks()).toBe(0)
}

interface Figures {
  readonly seed: number
  readonly seconds: number
  readonly accepted: number
  readonly open: number
  readonly kills: Cluster['kills']
  readonly runs: ReadonlyMap<string, number>
}

/** One line, after a failure too. */
function report({ seed, seconds, accepted, open, kills, runs }: Figures): void {
  const ran = [...runs.values()]
  const { orchestrator, worker } = kills
  const everyMs = Math.round((seconds * 1_000) / (orchestrator + worker))
  const figures = [
    `${accepted} jobs (${open} open)`,
    `${orchestrator} orchestrators and ${worker} workers killed (one each ${everyMs} ms)`,
    `${ran.reduce((sum, times) => sum + times, 0)} tasks run`,
    `${ran.filter((times) => times > 1).length} more than once`,
    `${seconds.toFixed(0)} s`,
    `CHAOS_SEED=${seed}`,
  ]
  process.stdout.write(`chaos: ${figures.join(', ')}\n`)
}

/** Ids of the attempts that were handed out, and of those that ended; each as often as it was. */
function tasksIn(rows: readonly HistoryRecord[]): Record<'attempts' | 'endings', string[]> {
  const idsOf = (...types: readonly string[]): string[] =>
    rows.filter(({ type }) => types.includes(type)).map(({ taskId = '' }) => taskId)
  const endings = idsOf('task_finished', 'task_lost')
  return { attempts: idsOf('task_dispatched').sort(), endings: endings.sort() }
}

function nameOf(n: number): string {
  return NAMES[n % NAMES.length] ?? ''
}

/** The task, whichever attempt: the last number of an id is that of the attempt. */
function withoutAttempt(taskId: string): string {
  return taskId.replace(/-\d+$/, '')
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
