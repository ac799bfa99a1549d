/** Many workers in a process of their own, each with a worker of the SDK to itself. */
import { createInterface } from 'node:readline'
import { setTimeout as pass } from 'node:timers/promises'
import { Worker } from '@avtomatika/worker-sdk'
import { z } from 'zod'
import type { SkillPlan, WorkerPlan } from './fleet-plan.ts'
import { environmentOf, SLIP } from './fleet-wire.ts'
import { begin, readSettings, say, TOKENS } from './program.ts'

/** A worker and where it asks for tasks. */
export interface Post {
  readonly plan: WorkerPlan
  readonly urls: readonly string[]
}

export interface FleetSettings {
  readonly posts: readonly Post[]
  readonly heartbeatIntervalMs: number
}

/** A task began or ended; how many were at work at that moment, with it. */
export interface FleetRow {
  readonly event: 'began' | 'ended'
  /** In ms since 1970. */
  readonly at: number
  readonly workerId: string
  readonly revision: number
  readonly taskId: string
  readonly n: number
  readonly atWork: number
  readonly ofSkill: number
  readonly ofType: number
}

const { posts, heartbeatIntervalMs } = readSettings() as FleetSettings
const staff = new Map<string, Worker>()
const rows: FleetRow[] = []

/** All of one turn together: thousands come in seconds. */
function record(row: Omit<FleetRow, 'at'>): void {
  if (rows.push({ ...row, at: Date.now() }) > 1) return
  setImmediate(() => {
    say({ kind: 'fleet', rows: rows.splice(0) })
  })
}

function hire({ plan, urls }: Post): Worker {
  const worker = new Worker({
    workerId: plan.workerId,
    orchestrators: urls.map((url) => ({ url })),
    orchestratorMode: 'ROUND_ROBIN',
    token: TOKENS.worker,
    maxConcurrentTasks: plan.slots,
    typeLimits: plan.typeLimits,
    heartbeatIntervalMs,
    heartbeatThread: false,
    pollTimeoutMs: 10_000,
    env: environmentOf(plan),
  })
  const counts = new Map<string, number>()
  for (const skill of plan.skills) teach(worker, { plan, skill, counts })
  if (plan.slips > 0) {
    const result = z.object({ isRight: z.literal(true) })
    worker.task<unknown>(SLIP, { result }, () => ({ isRight: false }))
  }
  worker.hotCache.add(...plan.hot)
  staff.set(plan.workerId, worker)
  return worker
}

interface Lesson {
  readonly plan: WorkerPlan
  readonly skill: SkillPlan
  readonly counts: Map<string, number>
}

function teach(worker: Worker, { plan, skill, counts }: Lesson): void {
  const keys = ['all', `skill ${skill.name}`, `type ${skill.type}`]
  const step = (by: number): void => {
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + by)
  }
  const { name, version, type, limit, widest } = skill
  const params = z.object({ n: z.number(), ms: z.number(), width: z.number().max(widest ?? 1e9) })
  const options = { version, type, ...(limit !== null && { concurrency: limit }) }
  worker.task(
    name,
    widest === null ? options : { ...options, params },
    async ({ params: given, taskId }) => {
      const { n, ms } = given
      step(1)
      const [atWork = 0, ofSkill = 0, ofType = 0] = keys.map((key) => counts.get(key))
      const row = { workerId: plan.workerId, revision: plan.revision, taskId, n }
      record({ event: 'began', ...row, atWork, ofSkill, ofType })
      await pass(ms)
      record({ event: 'ended', ...row, atWork, ofSkill, ofType })
      step(-1)
      return { by: plan.workerId }
    },
  )
}

/** From now on a worker is another, under the same name. */
async function change(post: Post): Promise<void> {
  const { workerId } = post.plan
  await staff.get(workerId)?.stop()
  await hire(post).start()
  say({ kind: 'changed', workerId })
}

createInterface({ input: process.stdin }).on('line', (line) => {
  void change(JSON.parse(line) as Post)
})
await Promise.all(posts.map((post) => hire(post).start()))
begin({ kind: 'started' })
