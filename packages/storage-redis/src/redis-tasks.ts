/** Tasks on offer, reserved, held and lost. */
import type { ClaimedTask, Job, OfferedTask, TaskDemand } from '@avtomatika/core'
import type { Answer, Call } from './call.ts'
import { decode } from './codec.ts'
import type { HintChannel } from './hint-channel.ts'
import { jobsOnOffer } from './jobs-on-offer.ts'
import { buffers, number, pairs, texts } from './reply.ts'
import type { Reply } from './script-runner.ts'
import { SCRIPTS } from './scripts.ts'
import type { RedisSession } from './session.ts'

export class RedisTasks {
  readonly #session: RedisSession
  readonly #hints: HintChannel

  constructor(session: RedisSession, hints: HintChannel) {
    this.#session = session
    this.#hints = hints
  }

  async listTaskClasses(): Answer<'listTaskClasses'> {
    const demands = await this.#session.ask((redis, keys) => redis.hgetall(`${keys}classes`))
    return Object.entries(demands).map(([classId, demand]) => ({
      classId,
      demand: JSON.parse(demand) as TaskDemand,
    }))
  }

  listJobsOnOffer(query: Call<'listJobsOnOffer'>): Promise<readonly Job[]> {
    return this.#session.ask((redis, keys) => jobsOnOffer(redis, keys, query))
  }

  async claimTasks(claim: Call<'claimTasks'>): Promise<readonly ClaimedTask[]> {
    const { workerId, classIds, limit, capacity, limits = [], now, leaseMs } = claim
    const leaseExpiresAt = now + leaseMs
    const typeOf = new Map(limits.flatMap((one) => one.classIds.map((id) => [id, one.type])))
    const most = JSON.stringify(Object.fromEntries(limits.map((one) => [one.type, one.most])))
    const classes = classIds.flatMap((id) => [id, typeOf.get(id) ?? ''])
    const acknowledges = claim.isToAcknowledge === true ? '1' : ''
    const args = [workerId, now, leaseExpiresAt, limit, capacity, most, acknowledges, ...classes]
    const tasks = buffers(await this.#session.run(SCRIPTS.claimTasks, ...args))
    return tasks.map((bytes) => ({ task: decode<OfferedTask>(bytes), leaseExpiresAt }))
  }

  async endReservations({ now, limit }: Call<'endReservations'>): Answer<'endReservations'> {
    const reply = await this.#session.run(SCRIPTS.endReservations, now, limit)
    const opened = quadruples(reply)
    await this.#tellOpened(opened)
    return opened.map(({ taskId, workerId, classId }) => ({ taskId, workerId, classId }))
  }

  async renewTasks(renewal: Call<'renewTasks'>): Promise<readonly string[]> {
    const { workerId, now, leaseMs, missingSince, taskIds } = renewal
    const listed = taskIds === 'all' ? ['all'] : ['list', ...taskIds]
    const args = [workerId, now, now + leaseMs, missingSince ?? '', ...listed]
    const [lost, ...notHeld] = texts(await this.#session.run(SCRIPTS.renewTasks, ...args))
    if (lost === '1') await this.#hints.tellAll([{ kind: 'deadline', at: now }])
    return notHeld
  }

  async claimLostTasks(claim: Call<'claimLostTasks'>): Answer<'claimLostTasks'> {
    const { now, leaseMs, limit } = claim
    const lost = pairs(await this.#session.run(SCRIPTS.claimLost, now, now + leaseMs, limit))
    return lost.map(([taskId, item]) => {
      const [jobId = '', unreceivedBy] = item.toString().split('\n')
      return { taskId, jobId, ...(unreceivedBy !== undefined && { unreceivedBy }) }
    })
  }

  async loseTasksOf({ workerId, now }: Call<'loseTasksOf'>): Promise<void> {
    const reply = await this.#session.run(SCRIPTS.loseTasks, workerId, now)
    const [lost = null, opened = null] = Array.isArray(reply) ? (reply as readonly Reply[]) : []
    if ((number(lost) ?? 0) > 0) await this.#hints.tellAll([{ kind: 'deadline', at: now }])
    await this.#tellOpened(quadruples(opened))
  }

  async dropTask(taskId: Call<'dropTask'>): Promise<void> {
    await this.#session.run(SCRIPTS.dropTask, taskId)
  }

  countOfferedTasks(): Promise<number> {
    return this.#session.ask((redis, keys) => redis.scard(`${keys}offered`))
  }

  async #tellOpened(opened: readonly Opened[]): Promise<void> {
    if (opened.length === 0) return
    const hints = opened.map(({ classId, demand }) => ({ kind: 'task', classId, demand }) as const)
    await this.#hints.tellAll(hints)
  }
}

interface Opened {
  readonly taskId: string
  readonly workerId: string
  readonly classId: string
  readonly demand: TaskDemand
}

/** Tasks that all may have now: task, worker, class and demand in turn. */
function quadruples(reply: Reply): readonly Opened[] {
  const all = texts(reply)
  return Array.from({ length: all.length / 4 }, (_, i) => {
    const [taskId = '', workerId = '', classId = '', demand = ''] = all.slice(4 * i, 4 * i + 4)
    return { taskId, workerId, classId, demand: JSON.parse(demand) as TaskDemand }
  })
}
