/** The demo, scene by scene. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isTerminalJobStatus, resultOf, type AvtomatikaClient, type Job } from '@avtomatika/client'
import type { Screen } from './screen.ts'

/** What each scene needs. */
export interface Stage {
  readonly screen: Screen
  readonly client: AvtomatikaClient
  readonly url: string
  readonly token: string
  /** Ends everything: Ctrl-C, or one of the programs is gone. */
  readonly signal: AbortSignal
}

interface Echo {
  readonly processed_message: string
}

interface HistoryRow {
  readonly timestamp: string
  readonly event_type: string
  readonly attempt_number: number | null
  readonly worker_id: string | null
}

const ENDPOINT = '/jobs/test'
const JOBS_IN_A_ROW = 5
const LOOK_AGAIN_MS = 50

/** All scenes, in order. */
export async function tell(stage: Stage): Promise<void> {
  await oneJob(stage)
  await jobsInARow(stage)
  await failingTask(stage)
  await wrongToken(stage)
  await workers(stage)
  whatNext(stage)
}

async function oneJob({ screen, client, signal }: Stage): Promise<void> {
  screen.chapter('One job')
  const input = { message: 'Hello World', multiply: 3 }
  screen.code(`POST /api/v1/jobs/test  ${JSON.stringify(input)}`)
  const { jobId } = await client.createJob(ENDPOINT, input, { signal })
  screen.good(`accepted; the job has the id ${jobId}`)
  screen.say('The blueprint gives the task echo_task to a worker, which reports how far it is:')
  screen.bar(0, 'waiting for a worker')
  const job = await client.waitForJob<Echo>(jobId, {
    signal,
    onProgress: ({ progress, progressMessage }) => {
      if (progress !== null && progress < 1) screen.bar(progress, progressMessage ?? '')
    },
  })
  screen.bar(1, `${job.status}, in the state '${job.currentState ?? ''}'`)
  screen.good(`result: ${resultOf(job).processed_message}`)
}

async function jobsInARow({ screen, client, signal }: Stage): Promise<void> {
  screen.chapter('Five jobs in a row')
  screen.say('The worker takes five tasks at a time, so they take about as long as one:')
  const startedAt = performance.now()
  const numbers = Array.from({ length: JOBS_IN_A_ROW }, (_, index) => index + 1)
  await Promise.all(
    numbers.map(async (i) => {
      const input = { message: `Message ${String(i)}`, multiply: i }
      const job = await client.run<Echo>(ENDPOINT, input, { signal })
      screen.good(`job ${String(i)}: ${resultOf(job).processed_message}`)
    }),
  )
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  screen.say(`All of them in ${seconds} s.`)
}

async function failingTask(stage: Stage): Promise<void> {
  const { screen, client, signal } = stage
  screen.chapter('A task that fails')
  screen.say('This one asks the worker to fail. It is tried again, with growing pauses:')
  const { jobId } = await client.createJob(ENDPOINT, { message: 'Oh no', fail: true }, { signal })
  const job = await watchAttempts(stage, jobId)
  screen.bad(`${job.status}: ${job.error?.message ?? ''}`)
  screen.say('Quarantined means: set aside, with everything kept, until a person has looked.')
  screen.say('Where to look:')
  const waiting = await client.listQuarantined({ signal })
  screen.code(`GET /_public/jobs/quarantined  →  ${JSON.stringify(waiting)}`)
  screen.code(`GET /api/v1/jobs/${jobId}/history  →`)
  await showHistory(stage, jobId)
}

async function watchAttempts({ screen, client, signal }: Stage, jobId: string): Promise<Job> {
  for (let told = 0; ;) {
    const job = await client.getJob(jobId, { signal })
    const attempt = (job.retryCount ?? 0) + 1
    if (attempt > told) screen.say(`attempt ${String(attempt)} …`)
    told = attempt
    if (isTerminalJobStatus(job.status)) return job
    await sleep(LOOK_AGAIN_MS, undefined, { signal })
  }
}

/** The rows of interest, with the time since the first one. */
async function showHistory({ screen, url, token, signal }: Stage, jobId: string): Promise<void> {
  const headers = { 'x-client-token': token }
  const response = await fetch(`${url}/api/v1/jobs/${jobId}/history`, { headers, signal })
  const rows = (await response.json()) as readonly HistoryRow[]
  const startedAt = Date.parse(rows[0]?.timestamp ?? '')
  for (const { timestamp, event_type: type, attempt_number: attempt, worker_id: worker } of rows) {
    const seconds = ((Date.parse(timestamp) - startedAt) / 1000).toFixed(2)
    const details = [attempt === null ? '' : `attempt ${String(attempt)}`, worker ?? '']
    screen.say(`    ${seconds.padStart(5)} s  ${type.padEnd(16)} ${details.join('  ')}`.trimEnd())
  }
}

async function wrongToken({ screen, url, signal }: Stage): Promise<void> {
  screen.chapter('A wrong token')
  const headers = { 'x-client-token': 'not-the-token' }
  const response = await fetch(`${url}/api/v1/workers`, { headers, signal })
  const text = await response.text()
  if (response.status !== 401) throw new Error(`A wrong token was let in: ${text}`)
  screen.good(`${String(response.status)}  ${text}`)
}

async function workers({ screen, client, signal }: Stage): Promise<void> {
  screen.chapter('The workers')
  screen.code('GET /api/v1/workers')
  for (const worker of await client.listWorkers({ signal })) {
    const tasks = worker.skills.join(', ')
    const most = String(worker.maxConcurrentTasks ?? '?')
    screen.good(
      `${worker.id} (${worker.type ?? ''}): does ${tasks}; ${most} at a time; ${worker.status ?? ''}`,
    )
  }
}

function whatNext({ screen }: Stage): void {
  screen.chapter('What to try next')
  screen.say(
    'examples/quickstart/blueprints/test-flow.ts  the blueprint: add a state, run the demo again',
  )
  screen.say('examples/quickstart/worker.ts                the worker: add a task of your own')
  screen.say(
    'docs/guides/quickstart.md                    start both yourself, and talk to them with curl',
  )
  screen.say('docs/concepts/delivery.md                    what is promised when something breaks')
}
